"""The servers behind a cluster, and what a bench borrows of them: databases and queues of its own."""
