"""What the program shows: events and the end of a run as lines, as JSON, or as a live view on a terminal.

`presenter` is the way in. `vocabulary` gives every event its name and fields, `phrases` the words for people, `report`
what only the runtime knows, `statement` the tables at the end. Imports everything that has events to show; only
`assembly` imports it.
"""
