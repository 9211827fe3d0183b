"""The guardian: a small process beside the runtime that cancels its orders when it dies without a word, or goes silent.

`watch` is that process: standard library only, because it waits for the whole life of the runtime. What acts is `sweep`, a
process that `watch` starts when it must: it has codecs and REST sessions, and none of the runtime's actors, ledgers or
supervisors. `guard` is the runtime's side. `plan` and `records` are what the processes tell one another, `planning` makes
a plan of settings. Only `assembly.program` imports this package.
"""
