"""The command line: one file a noun, each command parses, calls what does it, and prints."""
