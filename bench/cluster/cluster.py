"""Cluster: what a scenario measures: an API to trigger at, a ledger to read, and processes to weigh."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.cluster.api_client import ApiClient, Triggered
from bench.cluster.backend import ADMIN_PASSWORD, Backend, Place
from bench.cluster.ledger import Ledger, RunTimes
from bench.cluster.node_process import NodeProcess, free_port
from bench.cluster.waiting import wait_until

RUN_SECONDS = 60.0
"""A run that takes longer than this has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Nodes that are ready, and have read the DAGs of the bench. `pids` are the nodes' processes."""

    backend: Backend
    api: ApiClient
    ledger: Ledger
    journal: Path
    pids: tuple[int, ...]
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def trigger(self, dag_id: str) -> Triggered:
        """Trigger the DAG once more."""
        return self.api.trigger(dag_id, f"bench-{next(self._numbers)}")

    def finish(self, run: Triggered, *, every: float = 0.02) -> RunTimes:
        """Return the run when it has succeeded; raise WaitedInVain where that takes too long, RuntimeError if not."""

        def has_ended() -> bool:
            return self.ledger.run(run.dag_id, run.run_id).ended_at is not None

        wait_until(has_ended, f"the run of {run.dag_id} to end", seconds=RUN_SECONDS, every=every)
        times = self.ledger.run(run.dag_id, run.run_id)
        if times.state != "success":
            raise RuntimeError(f"the run of {run.dag_id} ended {times.state}; wanted success, and the logs say why not")
        return times


@contextmanager
def start_cluster(place: Place, dags: Sequence[str]) -> Iterator[Cluster]:
    """Start the nodes of the place as processes; they are gone at the end."""
    with ExitStack() as stack:
        ports = [free_port() for _ in place.nodes]
        pids = []
        for number, (roles, port) in enumerate(zip(place.nodes, ports, strict=True)):
            node = NodeProcess(place.folder / f"node{number}", roles, port, place.environ)
            stack.callback(node.stop)
            # The first migrates the metastore: the others must find it done.
            node.wait_until_ready()
            pids.append(node.pid)
        yield stack.enter_context(join_cluster(place, ports[0], pids, dags))


@contextmanager
def join_cluster(place: Place, port: int, pids: Sequence[int], dags: Sequence[str]) -> Iterator[Cluster]:
    """Use nodes that run, or are about to; return once they know the DAGs."""
    with closing(ApiClient(port, ADMIN_PASSWORD)) as api:
        api.log_in()
        for dag_id in dags:
            api.wait_for_dag(dag_id)
        with Ledger(place.database) as ledger:
            yield Cluster(backend=place.backend, api=api, ledger=ledger, journal=place.journal, pids=tuple(pids))
