"""The actors: feeds (public), accounts (private), cycles (strategy), the journal, the notifier, and the channels that are all they share.

This package holds nothing itself. Its children do not import one another, save that all may import `actors.channels`.
"""
