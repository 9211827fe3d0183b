"""A world and what it is made of: the program, its machine, disk and settings, exchanges, and the ways to break into them."""
