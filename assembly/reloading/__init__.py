"""Settings that change while the program runs: which may, how they are taken over, and who asks for it.

Reading order: keys (what may change, as data), difference, desk (where it is decided, all or nothing), watch (of the file).
Imported by `assembly.runtime`, `assembly.program` and `assembly.control.desk` only.
"""
