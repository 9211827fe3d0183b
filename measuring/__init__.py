"""What is counted and timed where it happens, and read when somebody asks: histograms in constant memory. Pure.

Imports nothing of ours; whoever measures something may import it: network, the actors, assembly. Nothing here reads a clock.
"""
