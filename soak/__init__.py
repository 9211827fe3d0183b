"""The whole program in a simulated world: drawn from a seed, struck by faults, watched at every moment, replayable bit for bit.

It may import everything; nothing of the program imports it, only tests and benches do.
"""
