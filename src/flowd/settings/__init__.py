"""What a node is told from outside: one frozen section per part, read in one place and from every source at once."""
