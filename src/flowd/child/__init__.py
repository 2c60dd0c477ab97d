"""Processes that run user code, and the sockets by which they are started, watched and answered."""
