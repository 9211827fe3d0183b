"""Strategies that trade in rounds: bought, sold, compared with the exchange to the last digit, and begun again.

Reading order: controller (what a strategy sees and answers), sell_on_top, executor, standing, memory, actor.
"""
