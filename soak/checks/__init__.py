"""What is looked at in a world while it lives, and after: each module makes sure of one kind of promise, by the exchanges' own state."""
