"""The control socket: how a person speaks to a run, and `mm-ctl`, which does the speaking.

`place` and `protocol` are both sides' and import nothing heavy; `command`, `client` and `words` are `mm-ctl`; `listening`,
`server`, `desk` and `picture` are the runtime's side. Imported by `assembly.program` and `assembly.runtime` only.
"""
