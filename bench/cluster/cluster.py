"""Cluster: what a scenario measures: an API to trigger at, a ledger to read, and processes to weigh."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.cluster.api_client import ApiClient, Triggered
from bench.cluster.backend import Backend
from bench.cluster.cpu import CpuMeter, CpuReading
from bench.cluster.free_port import free_port
from bench.cluster.ledger import Ledger, RunTimes
from bench.cluster.node_process import NodeProcess
from bench.cluster.place import ADMIN_PASSWORD, Place
from bench.cluster.waiting import wait_until

RUN_SECONDS = 240.0
"""A run that takes longer than this has failed."""

_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Nodes that are ready, and have read the DAGs of the bench.

    `nodes` are those that were started for it; a cluster that is only joined has none, but has `joined` processes.
    """

    place: Place
    api: ApiClient
    ledger: Ledger
    meter: CpuMeter
    nodes: tuple[NodeProcess, ...] = ()
    joined: tuple[int, ...] = field(default=())

    @property
    def backend(self) -> Backend:
        """Where its ledger and its queue are."""
        return self.place.backend

    @property
    def journal(self) -> Path:
        """Where tasks write when their first instruction ran."""
        return self.place.journal

    @property
    def pids(self) -> tuple[int, ...]:
        """The nodes' processes."""
        return self.joined or tuple(node.pid for node in self.nodes)

    def cpu(self) -> CpuReading:
        """Return the CPU used so far."""
        return self.meter.read(self.pids)

    def trigger(self, dag_id: str) -> Triggered:
        """Trigger the DAG once more."""
        return self.api.trigger(dag_id, f"bench-{next(_NUMBERS)}")

    def trigger_all(self, dag_ids: Sequence[str]) -> str:
        """Trigger the DAGs at once, and return the id that their runs share."""
        run_id = f"bench-{next(_NUMBERS)}"
        self.api.trigger_all(dag_ids, run_id)
        return run_id

    def finish(self, run: Triggered, *, every: float = 0.02) -> RunTimes:
        """Return the run when it has succeeded; raise WaitedInVain where that takes too long, RuntimeError if not."""

        def has_ended() -> bool:
            return self.ledger.run(run.dag_id, run.run_id).ended_at is not None

        wait_until(has_ended, f"the run of {run.dag_id} to end", seconds=RUN_SECONDS, every=every)
        return _succeeded(self.ledger.run(run.dag_id, run.run_id), run.dag_id)

    def finish_all(self, run_id: str) -> list[RunTimes]:
        """Return the runs of this id when all have succeeded; raise as `finish` does."""

        def have_ended() -> bool:
            return all(run.ended_at is not None for run in self.ledger.runs(run_id))

        wait_until(have_ended, f"the runs {run_id} to end", seconds=RUN_SECONDS, every=0.05)
        return [_succeeded(run, run_id) for run in self.ledger.runs(run_id)]

    def finish_many(self, run_id: str, count: int) -> list[RunTimes]:
        """Return the runs of this id when so many have succeeded, however they were made; raise as `finish` does."""

        def have_ended() -> bool:
            return sum(run.ended_at is not None for run in self.ledger.runs(run_id)) >= count

        wait_until(have_ended, f"{count} runs {run_id} to end", seconds=RUN_SECONDS, every=0.1)
        return [_succeeded(run, run_id) for run in self.ledger.runs(run_id)]

    def stop(self) -> None:
        """Drain every node."""
        for node in self.nodes:
            node.stop()

    def start(self) -> float:
        """Start every node, and return the seconds that this took until all were ready."""
        return sum(node.start() for node in self.nodes)


@contextmanager
def start_cluster(place: Place, dags: Sequence[str]) -> Iterator[Cluster]:
    """Start the nodes of the place as processes; they are gone at the end."""
    with ExitStack() as stack:
        ports = [free_port() for _ in place.nodes]
        nodes = []
        for number, (roles, port) in enumerate(zip(place.nodes, ports, strict=True)):
            node = NodeProcess(place.folder / f"node{number}", roles, port, place.environ)
            stack.callback(node.stop)
            # The first migrates the metastore: the others must find it done.
            node.start()
            nodes.append(node)
        yield stack.enter_context(_use(place, ports[0], dags, nodes=tuple(nodes)))


@contextmanager
def join_cluster(place: Place, port: int, pids: Sequence[int], dags: Sequence[str]) -> Iterator[Cluster]:
    """Use nodes that others run, or are about to; return once they know the DAGs."""
    with _use(place, port, dags, joined=tuple(pids)) as cluster:
        yield cluster


@contextmanager
def _use(
    place: Place,
    port: int,
    dags: Sequence[str],
    nodes: tuple[NodeProcess, ...] = (),
    joined: tuple[int, ...] = (),
) -> Iterator[Cluster]:
    with closing(ApiClient(port, ADMIN_PASSWORD)) as api:
        api.log_in()
        for dag_id in dags:
            api.wait_for_dag(dag_id)
        with Ledger(place.database) as ledger:
            meter = CpuMeter(place, ledger)
            yield Cluster(place=place, api=api, ledger=ledger, meter=meter, nodes=nodes, joined=joined)


def _succeeded(run: RunTimes, name: str) -> RunTimes:
    if run.state != "success":
        raise RuntimeError(f"the run of {name} ended {run.state}; wanted success, and the logs say why not")
    return run
