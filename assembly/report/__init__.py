"""`mm-report`: what a journal says, for people and programs, also while a runtime writes it.

Imports what assembly imports; nobody imports it.
"""
