"""A server that speaks OKX's v5 protocol, for spot or for swap: REST, and the public, private and business websockets.

What differs between the markets is in the subclasses of `venue.OkxVenue`, one in `spot` and one in `swap`; what only swaps have
is in files of that name.
"""
