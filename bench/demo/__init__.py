"""A realistic instance to look at: forty DAGs, three months of their runs, and some runs under way."""
