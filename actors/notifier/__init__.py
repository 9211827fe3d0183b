"""The notifier: tells a webhook what a person should hear of. It knows no market, no order and no journal, and nothing waits for it.

Imports `network`; only `assembly` imports it.

Reading order: outbox (what is told, and what is left out), bodies (how chat services want it), actor.
"""
