"""Typed memory channels between tasks, each with a bound and a policy for when it is full.

`bounded` makes the sender wait, `latest` keeps the newest value of each key, `dropping` drops the oldest and counts,
`reply` carries one answer. Channels outlive the actors that use them: whoever assembles the actors opens and closes
them, and a task cancelled in any call leaves the channel whole for its successor.

Imports nothing of ours; every actor and the assembly may import it. Nothing here does I/O or knows what it carries.
"""
