"""A matching engine with its accounts: pure and synchronous, time passed in. Imports `market` only."""
