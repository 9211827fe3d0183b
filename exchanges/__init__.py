"""Neutral identity of exchanges, one file each: the name and how it spells symbols. No URL, no key, no I/O.

Imports `market`. The registry that lists them is `assembly.registry`.
"""
