"""Every kind of fault that a world may have, by what it strikes: the network, an exchange, the program, its clock and disk, its load."""
