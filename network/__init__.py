"""How bytes leave and arrive: http, websocket, rate limits, circuit breaker, retries, and the simulated network.

Imports only measuring of ours. Feeds, accounts, the simulated exchanges and assembly may import it; strategies may not.
Nothing here knows an exchange, an order or a credential.
"""
