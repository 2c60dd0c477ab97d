"""What DAG authors import, through `from flowd import …`; nothing here knows of the server."""
