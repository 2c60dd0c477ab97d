"""ApiMetrics: what `/metrics` answers: this process's HTTP traffic, and how much is live in the metastore."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from flowd.db.views.health import LiveCounts

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
"""The route of requests that match none: their paths are not repeated, so that nobody can make labels without end."""

MOST_QUEUES = 100


class ApiMetrics:
    """The metrics of one app, in a registry of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._requests = Counter(
            "flowd_http_requests", "HTTP requests answered.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "flowd_http_request_seconds", "How long an answer took to begin.", ("route",), registry=registry
        )
        self._up = Gauge("flowd_metastore_up", "1 where the metastore answers.", registry=registry)
        self._tasks = Gauge(
            "flowd_task_instances", "Live task instances by state, in the whole cluster.", ("state",), registry=registry
        )
        self._runs = Gauge("flowd_dag_runs", "Live DAG runs by state.", ("state",), registry=registry)
        self._queued = Gauge(
            "flowd_queued_task_instances", "Queued task instances by queue.", ("queue",), registry=registry
        )
        self._nodes = Gauge("flowd_nodes", "Nodes seen lately, by role.", ("role",), registry=registry)

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count one request; `route` is the template of its path."""
        label = route or UNMATCHED
        self._requests.labels(method if method in METHODS else "other", label, str(status)).inc()
        self._seconds.labels(label).observe(seconds)

    def exposition(self, counts: LiveCounts | None) -> bytes:
        """Return every metric in Prometheus's text form; `counts` is None where the metastore is away."""
        for gauge in (self._tasks, self._runs, self._queued, self._nodes):
            gauge.clear()
        self._up.set(0 if counts is None else 1)
        if counts is not None:
            for state, number in counts.tasks.items():
                self._tasks.labels(state.value).set(number)
            for run_state, number in counts.runs.items():
                self._runs.labels(run_state.value).set(number)
            for queue, number in counts.queued_by_queue.most_common(MOST_QUEUES):
                self._queued.labels(queue).set(number)
            for role, number in counts.nodes_by_role.items():
                self._nodes.labels(role).set(number)
        return generate_latest(self._registry)
