"""Trial: one scenario from its first trigger to the checker's verdict."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from flowd.domain.errors import MetastoreUnavailable
from tests.faults.failpoints.order import Action, Obeyed
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.load import CLIENTS, Load
from tests.faults.harness.member import Member
from tests.faults.harness.result import Result
from tests.support.checker.check import check
from tests.support.checker.evidence import JournalLine, Word
from tests.support.checker.journal import parse_journal, read_text
from tests.support.checker.metastore_evidence import evidence_of
from tests.support.node_process import eventually

DAGS = ("journal_chain", "journal_fan", "journal_flaky")
SETTLE_SECONDS = 600.0
MOST_SHOWN = 12


@dataclass(slots=True, kw_only=True)
class Trial:
    """Load before and during the faults; at the end everything is healed, awaited, and judged.

    Leaving the context without an error asserts that every run of the load has succeeded (where it `may_fail`, ended)
    and that the checker finds no violation. `result` then says how long the cluster took to recover, counted from when
    servers and wires were whole again; or, where it `is_left_broken`, from the end of the body, with nobody's help.
    """

    cluster: Cluster
    scenario: str
    seed: int
    may_fail: bool = False
    is_left_broken: bool = False
    settle_seconds: float = SETTLE_SECONDS
    is_clock_steady: bool = True
    faults: list[str] = field(default_factory=list)
    result: Result | None = None
    _loads: list[Load] = field(default_factory=list)
    _begun_at_ns: int = 0
    _afterwards: list[Callable[[], object]] = field(default_factory=list)
    _ended_at_ns: int = 0

    def __enter__(self) -> Self:
        self._begun_at_ns = time.monotonic_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        over_at_ns = time.monotonic_ns()
        try:
            if self.is_left_broken and error is None:
                self.await_end()
        finally:
            # Whatever happened: the next scenario is to find the cluster whole.
            self.cluster.mend()
            if not self.is_left_broken:
                over_at_ns = time.monotonic_ns()
            self.cluster.restart_dead()
            for act in self._afterwards:
                act()
        if error is None:
            self.result = self._judge(over_at_ns)

    def trigger(
        self, runs: int, dags: Sequence[str] = DAGS, *, urls: Sequence[str] | None = None, clients: int = CLIENTS
    ) -> Load:
        """Begin to trigger so many runs of these DAGs, mixed; at every API of the cluster, or at `urls`."""
        deck = random.Random(self.seed)
        number = len(self._loads)
        wanted = [(f"{self.scenario}-{self.seed}-{number}-{index}", deck.choice(dags)) for index in range(runs)]
        load = Load(
            urls=urls or self.cluster.urls,
            clients=clients,
            token=self.cluster.token,
            wanted=[(key.replace(" ", "-"), dag_id) for key, dag_id in wanted],
            journal=self.cluster.requests,
        )
        self._loads.append(load)
        load.start()
        return load

    def on_heal(self, act: Callable[[], object]) -> None:
        """Have something done when the cluster has been healed, and before the end is awaited."""
        self._afterwards.append(act)

    def note(self, fault: str) -> None:
        """Write down what was broken."""
        self.faults.append(fault)

    def await_progress(self, ends: int, seconds: float = SETTLE_SECONDS) -> None:
        """Return when so many tasks of this trial have ended."""
        eventually(lambda: len(self._lines(Word.END)) >= ends, f"{ends} tasks to end", seconds)

    def await_answers(self, seconds: float = SETTLE_SECONDS) -> None:
        """Return when every trigger so far has been answered with success."""
        for load in self._loads:
            load.join(seconds)

    def await_begun(self, begun: int, seconds: float = SETTLE_SECONDS) -> None:
        """Return when so many tries of this trial have begun."""
        eventually(lambda: len(self._lines(Word.BEGIN)) >= begun, f"{begun} tries to begin", seconds)

    def await_row(self, query: str, what: str, seconds: float = SETTLE_SECONDS) -> None:
        """Return when the ledger answers a query with a row."""
        eventually(lambda: self.cluster.ledger.rows(query), what, seconds)

    def await_end(self) -> set[str]:
        """Return the runs of the load, when all of them have ended."""
        self.await_answers(self.settle_seconds)
        runs = {run for load in self._loads for run in load.runs}
        eventually(lambda: self._have_ended(runs), "every run to end", self.settle_seconds)
        self._ended_at_ns = self._ended_at_ns or time.monotonic_ns()
        return runs

    def await_obeyed(self, *members: Member, action: Action | None = None, seconds: float = SETTLE_SECONDS) -> Member:
        """Return the first of these nodes that has come to obey an order of this trial, which is noted as a fault."""

        def obedient() -> tuple[Member, Obeyed] | None:
            obeyed = ((one, done) for one in members for done in one.book.obeyed if done.at_ns >= self._begun_at_ns)
            return next(((one, done) for one, done in obeyed if action in (None, done.action)), None)

        found = eventually(obedient, f"one of {[one.name for one in members]} to obey", seconds)
        assert found is not None
        member, done = found
        self.note(f"{done.action.value} of {member.name} at {done.door}")
        return member

    def note_obeyed(self) -> None:
        """Note as faults all the orders that nodes have obeyed in this trial."""
        for member in self.cluster.members.values():
            for done in member.book.obeyed:
                if done.at_ns >= self._begun_at_ns:
                    self.note(f"{done.action.value} of {member.name} at {done.door}")

    def _judge(self, over_at_ns: int) -> Result:
        runs = self.await_end()
        states = self.cluster.ledger.run_states()
        violations = check(
            self.cluster.servers.wires.call(
                evidence_of(
                    self.cluster.ledger.url,
                    journal=self.cluster.journal,
                    requests=self.cluster.requests,
                    logs=self.cluster.logs,
                    is_clock_steady=self.is_clock_steady,
                )
            )
        )
        first_end = min((line.at_ns for line in self._lines(Word.END) if line.at_ns > over_at_ns), default=None)
        result = Result(
            scenario=self.scenario,
            seed=self.seed,
            faults=self.faults,
            runs=len(runs),
            tries=len(self._lines(Word.BEGIN)),
            violations=len(violations),
            first_end_seconds=None if first_end is None else (first_end - over_at_ns) / 1e9,
            all_ended_seconds=(self._ended_at_ns - over_at_ns) / 1e9,
        )
        assert not violations, "\n".join([f"{len(violations)} violations:", *map(str, violations[:MOST_SHOWN])])
        assert self.may_fail or {states[run] for run in runs} <= {"success"}, (
            f"these runs failed: {sorted(run for run in runs if states[run] != 'success')}"
        )
        return result

    def _have_ended(self, runs: set[str]) -> bool:
        try:
            states = self.cluster.ledger.run_states()
        except MetastoreUnavailable:
            return False
        return all(states.get(run) in ("success", "failed") for run in runs)

    def _lines(self, word: Word) -> list[JournalLine]:
        lines = parse_journal(read_text(self.cluster.journal))
        return [line for line in lines if line.word is word and line.at_ns >= self._begun_at_ns]
