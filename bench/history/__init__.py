"""A metastore that looks as if it had run for long."""
