"""Quoting strategies: pure, each made from its parameters alone.

Reading order: pricing and inventory (what the view says), sides (up and down made one), two_sided (from an aim to quotes, shared),
simple, estimators, models (the papers' formulas), avellaneda_stoikov.
"""
