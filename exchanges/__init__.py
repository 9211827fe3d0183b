"""Neutral identity of exchanges, one file each: the name and how it spells symbols. No URL, no key, no I/O.

Beside it, where an exchange encodes with protobuf, the definition of its messages and what `bin/protobuf` has made of it.

Imports `market`. The registry that lists them is `assembly.registry`.
"""
