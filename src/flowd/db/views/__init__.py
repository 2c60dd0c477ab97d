"""Read models: what lists and pages show, each a value read in one or two statements."""
