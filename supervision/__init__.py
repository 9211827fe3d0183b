"""Supervision in OTP's words, on Trio: children, restart kinds, strategies, intensity, back-off, ordered stop, cleanup.

`child` says what is supervised, `supervisor` runs it, `policy` holds what a supervisor may be told, `events` what it
reports, `errors` what it raises, `snapshot` what it shows. Inside: `incarnation` is one life of a child, `slot` a child
over its lives, `keeper` decides over the children that restart together, `run` is one run of a supervisor.

Imports nothing of ours and knows nothing of trading; only the assembly imports it. `docs/supervision.md` is its contract.
"""
