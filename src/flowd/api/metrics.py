"""ApiMetrics: what `/metrics` answers: this process and its HTTP traffic, and the whole cluster by the metastore."""

import math
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

import flowd
from flowd.db.views.figures import Figures, LiveOfDag
from flowd.domain.states import RunState

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
"""The route of requests that match none: their paths are not repeated, so that nobody can make labels without end."""

_ENDS = (RunState.SUCCESS, RunState.FAILED)

MOST_QUEUES = 100
MOST_POOLS = 100
MOST_DAGS = 500
OTHER_DAGS = "(other)"
"""The label of all DAGs behind the busiest ones; no DAG can be named so."""


TicketLives = Callable[[], Mapping[str, float]]
"""How many seconds the Kerberos tickets that this node renews are still good for, by principal."""


def no_tickets() -> Mapping[str, float]:
    """Return nothing: this node renews none."""
    return {}


class ApiMetrics:
    """The metrics of one app, in a registry of its own; `by_dag` gives tasks and runs the label `dag_id`."""

    def __init__(self, registry: CollectorRegistry, *, by_dag: bool = False, tickets: TicketLives = no_tickets) -> None:
        self._registry = registry
        self._tickets = tickets
        self.by_dag = by_dag
        of_dag = ("state", "dag_id") if by_dag else ("state",)
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "flowd_http_requests", "HTTP requests answered.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "flowd_http_request_seconds", "How long an answer took to begin.", ("route",), registry=registry
        )
        self._up = Gauge("flowd_metastore_up", "1 where the metastore answers.", registry=registry)
        Gauge("flowd_build_info", "1, with the version of this node.", ("version",), registry=registry).labels(
            flowd.__version__
        ).set(1)
        self._ticket_seconds = Gauge(
            "flowd_kerberos_ticket_seconds",
            "How long the Kerberos ticket that this node renews is still good for; 0 where none is.",
            ("principal",),
            registry=registry,
        )
        self._of_cluster: list[Gauge] = []
        self._tasks = self._gauge("flowd_task_instances", "Live task instances by state.", of_dag)
        self._runs = self._gauge("flowd_dag_runs", "Live DAG runs by state.", of_dag)
        self._ended = self._gauge("flowd_recent_dag_runs", "DAG runs that ended in the last five minutes.", of_dag)
        self._took = self._gauge("flowd_recent_dag_run_seconds", "How long those took in all.", of_dag)
        self._queued = self._gauge("flowd_queued_task_instances", "Queued task instances by queue.", ("queue",))
        self._oldest = self._gauge(
            "flowd_queue_oldest_seconds", "How long the oldest of the queued has been so; 0 where none is.", ("queue",)
        )
        self._paused = self._gauge("flowd_queue_paused", "1 where the queue is paused.", ("queue",))
        self._nodes = self._gauge("flowd_nodes", "Nodes seen in the last 30 seconds, by role.", ("role",))
        self._silence = self._gauge(
            "flowd_heartbeat_age_seconds", "How long ago a node of the role was last seen.", ("role",)
        )
        self._workers = self._gauge("flowd_workers", "Workers of the last day by state.", ("state",))
        self._slots = self._gauge("flowd_worker_slots", "Slots of the workers seen: used and free.", ("state",))
        self._pool_slots = self._gauge("flowd_pool_slots", "Slots of a pool; -1 is no limit.", ("pool",))
        self._pool_held = self._gauge(
            "flowd_pool_slots_by_state", "Slots that live task instances hold or ask for.", ("pool", "state")
        )
        self._broken = Gauge("flowd_import_errors", "DAG files that could not be read.", registry=registry)

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count one request; `route` is the template of its path."""
        label = route or UNMATCHED
        self._requests.labels(method if method in METHODS else "other", label, str(status)).inc()
        self._seconds.labels(label).observe(seconds)

    def exposition(self, figures: Figures | None) -> bytes:
        """Return every metric in Prometheus's text form; `figures` is None where the metastore is away."""
        for gauge in self._of_cluster:
            gauge.clear()
        self._broken.set(math.nan if figures is None else figures.import_errors)
        self._up.set(0 if figures is None else 1)
        for principal, seconds in self._tickets().items():
            self._ticket_seconds.labels(principal).set(seconds)
        if figures is not None:
            self._set_work(figures)
            self._set_queues(figures)
            self._set_nodes(figures)
            self._set_pools(figures)
        return generate_latest(self._registry)

    def _gauge(self, name: str, meaning: str, labels: tuple[str, ...]) -> Gauge:
        gauge = Gauge(name, meaning, labels, registry=self._registry)
        self._of_cluster.append(gauge)
        return gauge

    def _set_work(self, figures: Figures) -> None:
        if self.by_dag:
            self._set_by_dag(figures)
            return
        for state, number in figures.live.tasks.items():
            self._tasks.labels(state.value).set(number)
        for run_state, number in figures.live.runs.items():
            self._runs.labels(run_state.value).set(number)
        for end in _ENDS:
            self._ended.labels(end.value).set(0)
            self._took.labels(end.value).set(0)
        for one in figures.ended:
            self._ended.labels(one.state.value).set(one.runs)
            self._took.labels(one.state.value).set(one.seconds)

    def _set_by_dag(self, figures: Figures) -> None:
        named = _busiest(figures)
        for gauge, found in ((self._tasks, figures.tasks_by_dag), (self._runs, figures.runs_by_dag)):
            for live in found:
                gauge.labels(live.state, _label(live.dag_id, named)).inc(live.number)
        for ended in figures.ended:
            label = _label(ended.dag_id or "", named)
            self._ended.labels(ended.state.value, label).inc(ended.runs)
            self._took.labels(ended.state.value, label).inc(ended.seconds)

    def _set_queues(self, figures: Figures) -> None:
        busy_first = sorted(figures.queues, key=lambda one: -figures.live.queued_by_queue[one.name])
        for queue in busy_first[:MOST_QUEUES]:
            since = queue.oldest_queued_at
            self._queued.labels(queue.name).set(figures.live.queued_by_queue[queue.name])
            self._oldest.labels(queue.name).set(max((figures.now - since).total_seconds(), 0) if since else 0)
            self._paused.labels(queue.name).set(queue.paused_at is not None)

    def _set_nodes(self, figures: Figures) -> None:
        for role, beat in figures.heartbeats.items():
            self._nodes.labels(role).set(figures.live.nodes_by_role[role])
            if beat.seen_at is not None:
                self._silence.labels(role).set(max((figures.now - beat.seen_at).total_seconds(), 0))
        for state, number in figures.workers.by_state.items():
            self._workers.labels(state.value).set(number)
        self._slots.labels("used").set(figures.workers.running)
        self._slots.labels("free").set(max(figures.workers.slots - figures.workers.running, 0))

    def _set_pools(self, figures: Figures) -> None:
        for pool in figures.pools:
            self._pool_slots.labels(pool.name).set(pool.slots)
            for state, slots in pool.slots_by_state.items():
                self._pool_held.labels(pool.name, state.value).set(slots)


def _busiest(figures: Figures) -> frozenset[str]:
    """Return the DAGs that have a label of their own."""
    busy: Counts[str] = Counts()
    by_dag: Iterable[LiveOfDag] = (*figures.tasks_by_dag, *figures.runs_by_dag)
    for live in by_dag:
        busy[live.dag_id] += live.number
    for ended in figures.ended:
        busy[ended.dag_id or ""] += ended.runs
    return frozenset(name for name, _ in busy.most_common(MOST_DAGS))


def _label(dag_id: str, named: frozenset[str]) -> str:
    return dag_id if dag_id in named else OTHER_DAGS
