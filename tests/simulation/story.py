"""A story: one seed's cluster, and what befalls it, drawn one event after the other."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random

from flowd.db.ledger import dispatch
from flowd.domain.states import RunState
from tests.simulation.broker import Weather
from tests.simulation.cluster import Cluster
from tests.simulation.machine import MOST_ITEMS
from tests.simulation.waits import WAITING
from tests.support.checker.violation import Violation
from tests.support.random_dags import MAPPED, a_random_dag

EVENTS = 30
LONGEST_PAUSE_SECONDS = 12.0
MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a story ended: what was violated, which steps of flowd failed, and how much happened."""

    seed: int
    violations: list[Violation]
    errors: list[str]
    events: list[str]
    runs: int
    tries: int
    steps: int
    seconds: float

    @property
    def is_good(self) -> bool:
        """True where nothing at all is to be said."""
        return not self.violations and not self.errors

    def __str__(self) -> str:
        """Tell it: the seed, the events in their order, and what is wrong."""
        told = [f"seed {self.seed}: {self.runs} runs, {self.tries} tries, {self.seconds:.0f} virtual seconds"]
        told += [f"  {event}" for event in self.events]
        told += [f"  violated: {violation}" for violation in self.violations[:10]]
        return "\n".join([*told, *(f"  failed: {error}" for error in self.errors[:10])])


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """What a story leans to: the weather of messages it begins with, how often tasks fail, how often links break."""

    messages: Weather = field(default_factory=Weather)
    failures: float | None = None
    outages: int = 1


USUAL = Climate()


@contextmanager
def a_cluster(
    seed: int, migrated_file: Path, *, schedulers: int = 2, workers: int = 2, mapped: float = MAPPED
) -> Iterator[Cluster]:
    """Run a cluster with random DAGs on a metastore of its own, in memory where the machine has such a folder."""
    chance = Random(seed)
    specs = [a_random_dag(chance, number, mapped=mapped) for number in range(4)]
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        shutil.copy(migrated_file, f"{folder}/flowd.db")
        url = f"sqlite:///{folder}/flowd.db"
        with Cluster(seed, Path(folder), url, specs, schedulers=schedulers, workers=workers).running() as cluster:
            cluster.tasks.most_items = MOST_ITEMS if mapped else 0
            yield cluster


def tell(
    seed: int,
    migrated_file: Path,
    *,
    events: int = EVENTS,
    waits: float = WAITING,
    mapped: float = MAPPED,
    climate: Climate = USUAL,
) -> Ending:
    """Tell the story of a seed to its end.

    `waits` is the share of tasks' processes that end because they wait, `mapped` that of the tasks that are mapped.
    In another `climate` than the usual what breaks a certain rule comes sooner.

    The broker of every second one keeps all that it has confirmed. There nobody may need to be rung twice for a message
    that arrived, so that the Redeliverer's patience is endless: whatever leans on it never ends.
    """
    is_calm = seed % 2 == 0
    with a_cluster(seed, migrated_file, mapped=mapped) as cluster, _ringing_once(is_calm):
        cluster.tasks.waits = waits
        cluster.tasks.failures = climate.failures or cluster.tasks.failures
        cluster.broker.weather = replace(climate.messages)
        befalls = Befalls(cluster, is_calm=is_calm, outages=climate.outages)
        for _ in range(events):
            befalls.next()
        violations = cluster.finish()
        evidence = cluster.evidence()
        return Ending(
            seed=seed,
            violations=violations,
            errors=cluster.errors,
            events=befalls.told,
            runs=len(evidence.runs),
            tries=len({(line.task, line.try_number) for line in evidence.journal or ()}),
            steps=cluster.loop.steps,
            seconds=cluster.loop.now,
        )


@contextmanager
def _ringing_once(is_calm: bool) -> Iterator[None]:
    usual = dispatch.FIRST_RING_AGAIN
    dispatch.FIRST_RING_AGAIN = timedelta(days=1) if is_calm else usual
    try:
        yield
    finally:
        dispatch.FIRST_RING_AGAIN = usual


class Befalls:
    """Draws what happens next, and keeps it in words."""

    def __init__(self, cluster: Cluster, *, is_calm: bool, outages: int = 1) -> None:
        self.told: list[str] = []
        self._cluster = cluster
        self._chance = cluster.chance
        self._kinds: list[tuple[int, Callable[[], str]]] = [
            (8, self._trigger),
            (4, self._kill),
            (4, self._restart),
            (2, self._freeze),
            (2, self._thaw),
            (4 * outages, self._cut),
            (0 if is_calm else 4, self._weather),
            (1, self._drain),
            (outages, self._outage),
            (1, self._lose_answers),
            (1, self._clear),
            (1, self._mark),
            (1, self._heal),
        ]

    def next(self) -> None:
        """Let some time pass, and then something happen."""
        self._cluster.run_for(self._chance.random() ** 2 * LONGEST_PAUSE_SECONDS)
        kinds = [kind for _, kind in self._kinds]
        (kind,) = self._chance.choices(kinds, [weight for weight, _ in self._kinds])
        self.told.append(f"{self._cluster.loop.now:8.2f} {kind()}")

    def _trigger(self) -> str:
        number = self._chance.randint(1, 3)
        for _ in range(number):
            self._cluster.trigger()
        return f"{number} triggers"

    def _kill(self) -> str:
        process = self._chance.choice(self._cluster.nodes)
        self._cluster.kill(process)
        return f"kill {process.name}"

    def _restart(self) -> str:
        process = self._chance.choice(self._cluster.nodes)
        self._cluster.restart(process)
        return f"restart {process.name}"

    def _freeze(self) -> str:
        process = self._chance.choice(self._cluster.nodes)
        self._cluster.freeze(process)
        return f"freeze {process.name}"

    def _thaw(self) -> str:
        process = self._chance.choice(self._cluster.nodes)
        self._cluster.thaw(process)
        return f"thaw {process.name}"

    def _cut(self) -> str:
        process = self._chance.choice(self._cluster.nodes)
        if self._chance.random() < 0.5:
            self._cluster.cut_from_database(process)
            return f"cut {process.name} from the metastore"
        self._cluster.cut_from_broker(process)
        return f"cut {process.name} from the broker"

    def _weather(self) -> str:
        kind = self._chance.choice(["lost", "repeated", "late", "unconfirmed", "altered"])
        share = self._chance.choice([0.2, 0.5, 0.9])
        setattr(self._cluster.broker.weather, kind, share)
        return f"{share:.0%} of the messages are {kind}"

    def _drain(self) -> str:
        process = self._chance.choice(self._cluster.workers)
        self._cluster.drain(process)
        return f"drain {process.name}"

    def _outage(self) -> str:
        self._cluster.database.is_down = not self._cluster.database.is_down
        return f"the metastore is {'down' if self._cluster.database.is_down else 'up'}"

    def _lose_answers(self) -> str:
        self._cluster.database.lost_answers = 0.3
        return "30% of the answers to COMMIT are lost"

    def _clear(self) -> str:
        self._cluster.clear(only_failed=self._chance.random() < 0.5)
        return "a user clears a run"

    def _mark(self) -> str:
        state = self._chance.choice([RunState.SUCCESS, RunState.FAILED, RunState.QUEUED])
        self._cluster.mark(state)
        return f"a user marks a run as {state}"

    def _heal(self) -> str:
        self._cluster.heal()
        return "everything is mended"
