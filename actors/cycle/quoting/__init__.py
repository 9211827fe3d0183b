"""Continuous strategies: at each decision the whole set of orders that should be live, until the program stops.

Reading order: contract (what a strategy sees and answers), strategies, executor (from wanted to requests), limits, actor.
"""
