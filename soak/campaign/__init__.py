"""Many worlds: each in a process of its own, what came of them, and smaller ones that fail in the same way."""
