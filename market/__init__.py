"""Public facts, pure: symbols, instruments, price and quantity arithmetic, the order book, market events, clocks.

Imports nothing of ours; everything of ours may import it. Nothing here does I/O.
"""
