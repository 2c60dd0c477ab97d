"""The keeper: a small single-threaded process that starts, watches and kills every process tree of a worker."""
