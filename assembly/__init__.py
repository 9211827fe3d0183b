"""Where everything meets: settings, the registry of exchanges and strategies, the tree, the program.

Imports all other packages; none of them imports this one. It is the only code that sees feeds and accounts together.
"""
