"""Raw Celery on the same RabbitMQ, measured only when asked for: what a bare task queue costs, with no DAG, no state
that outlives the broker and no isolation of tasks. It is installed into an environment of its own: no dependency."""
