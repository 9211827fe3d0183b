"""Private facts, pure: order identity and life cycle, commands, account events, the account's own ledger.

Imports `market`; `actors.accounts`, `actors.cycle`, `simulated` and `assembly` import it. Nothing here does I/O.
"""
