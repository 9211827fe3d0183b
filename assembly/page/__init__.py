"""The page: what a person sees of a run in a browser, and what they can have done from there.

`protocol` is what is said to the browser; `static` is what runs there. Imported by `assembly.program` and `assembly.runtime` only.
"""
