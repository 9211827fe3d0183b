"""`mm-doctor`: asks every exchange and account of a settings file whether they would do, with the parts that trade, and trades nothing.

Imports what assembly imports; nobody imports it.
"""
