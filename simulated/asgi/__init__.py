"""A small ASGI server for Trio: HTTP/1.1 by h11 and websockets by wsproto, one task per connection and one per websocket for its pings.

It serves the simulated exchanges, embedded, apart and in simulation. Nothing here waits by the machine's clock or shields a send, so a
virtual clock moves it and cancelling it ends every connection at once. It imports nothing of ours.

Left out on purpose: TLS, HTTP/2, lifespan, compression, pipelining (whoever sends a second request before the answer to the first loses
the connection after that answer).
"""
