"""The keeper alone, without node, metastore and queue: what starting and ending one task costs."""
