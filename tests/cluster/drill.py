"""Drill: one step after another on a cluster under load, each written down with what it cost its clients."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.cluster.client import Answer, Client, Ending, count
from tests.cluster.network import Cut
from tests.cluster.site import Site
from tests.support.checker.violation import Violation
from tests.support.node_process import eventually

log = logging.getLogger(__name__)

WHOLE_SECONDS = 240.0
SETTLE_SECONDS = 300.0
MOST_SHOWN = 8
ENDED = ("success", "failed")
CUTS = {
    Cut.IS_NOT_HEARD: "hears, and is not heard",
    Cut.HEARS_NOTHING: "is heard, and hears nothing",
    Cut.BOTH_WAYS: "cut off both ways",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step cost: requests by their ending, how long the slowest took, and when all was whole again."""

    name: str
    done: str
    answers: Sequence[Answer]
    retried: int
    runs_ended: int
    recovery_seconds: float

    @property
    def row(self) -> tuple[str, ...]:
        """Its row of the report."""
        slowest = max((one.seconds for one in self.answers), default=0.0)
        return (
            self.name,
            self.done,
            str(count(self.answers, Ending.SERVED)),
            str(self.retried),
            str(count(self.answers, Ending.NOT_NOW)),
            str(count(self.answers, Ending.FAILED)),
            f"{slowest:.1f} s",
            str(self.runs_ended),
            f"{self.recovery_seconds:.1f} s",
        )


HEADINGS = (
    "step",
    "what was done",
    "requests served",
    "sent again by haproxy",
    "answered 503, later",
    "failed",
    "slowest",
    "runs ended",
    "whole again after",
)


@dataclass(slots=True)
class Drill:
    """The cluster and its clients; `hold_seconds` is how long each fault lasts."""

    site: Site
    client: Client
    hold_seconds: float
    steps: list[Step] = field(default_factory=list)
    violations: Sequence[Violation] | None = None
    _accounted: int = 0
    _was_away: bool = False
    _ended: int = 0
    _retries: int = 0
    _begun: float = field(default_factory=time.monotonic)

    @contextmanager
    def step(self, name: str, done: str, *, is_away: bool = False) -> Iterator[None]:
        """Do something to the cluster; at the end it is healed, awaited, and every request is accounted for.

        Only where the metastore `is_away` may a request be answered with 503, and none may fail otherwise. A request
        counts in the step in which it ends, which may be the one after that in which it began.
        """
        yield
        over = time.monotonic()
        self._make_whole()
        recovery = time.monotonic() - over
        answers = self._new_answers()
        ended, retries = self._count_ended(), self.site.proxy.retries()
        self.steps.append(
            Step(
                name=name,
                done=done,
                answers=answers,
                retried=retries - self._retries,
                runs_ended=ended - self._ended,
                recovery_seconds=recovery,
            )
        )
        self._ended, self._retries = ended, retries
        log.info(" | ".join(self.steps[-1].row))
        self._check(name, answers, may_be_refused=is_away or self._was_away)
        self._was_away = is_away

    def turn_off_and_on(self, name: str, *, is_away: bool = False) -> None:
        """SIGKILL all that runs on a host, and start it again after a while."""
        with self.step(f"{name} off and on", "SIGKILL of all its processes", is_away=is_away):
            self.site.turn_off(name)
            self.hold()
            self.site.turn_on(name)

    def cut(self, name: str, cut: Cut, *, is_away: bool = False) -> None:
        """Cut a host's line for a while."""
        with self.step(f"{name} cut off", CUTS[cut], is_away=is_away):
            self.site.network.cut(name, cut)
            self.hold()
            self.site.network.heal()

    def hold(self) -> None:
        """Let a fault last: the one thing that only time can tell."""
        time.sleep(self.hold_seconds)

    def end(self) -> None:
        """End the load, and wait until every run has ended."""
        self.client.finish(SETTLE_SECONDS)
        self._check("the end", self._new_answers(), may_be_refused=self._was_away)
        eventually(self._have_all_ended, "every run to end", SETTLE_SECONDS)

    def verdict(self) -> Sequence[Violation]:
        """Return what the checker finds, for which every run that was accepted must have succeeded."""
        states = self.site.run_states()
        unhappy = {run: states.get(run) for run in self.client.runs if states.get(run) != "success"}
        assert not unhappy, f"these runs did not succeed: {unhappy}"
        self.violations = self.site.violations()
        return self.violations

    def report(self) -> str:
        """Return the steps as a table in Markdown, and what came of all of them."""
        rows = [HEADINGS, ["---"] * len(HEADINGS), *(step.row for step in self.steps)]
        table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        answers = self.client.answers
        found = "not judged" if self.violations is None else f"{len(self.violations)}"
        return (
            f"{table}\n\n"
            f"{time.monotonic() - self._begun:.0f} s; {count(answers, Ending.SERVED)} requests served,"
            f" {count(answers, Ending.NOT_NOW)} answered 503 with Retry-After, {count(answers, Ending.FAILED)} failed;"
            f" {len(self.client.runs)} runs accepted, {len(self.client.runs)} finished;"
            f" open pages connected {self.client.streams} times and heard of {self.client.pings} changes;"
            f" violations of I1 to I13: {found}"
        )

    def _new_answers(self) -> Sequence[Answer]:
        answers = self.client.answers[self._accounted :]
        self._accounted += len(answers)
        return answers

    def _check(self, name: str, answers: Sequence[Answer], *, may_be_refused: bool) -> None:
        allowed = {Ending.SERVED, Ending.NOT_NOW} if may_be_refused else {Ending.SERVED}
        wrong = [one for one in answers if one.ending not in allowed]
        assert not wrong, "\n".join([f"{name}: {len(wrong)} requests failed:", *map(str, wrong[:MOST_SHOWN])])

    def _make_whole(self) -> None:
        for node in self.site.nodes.values():
            node.await_ready()
        self.site.await_proxy()
        # Whatever was being done when this began has been done, and what came since goes through.
        before = len(self.client.runs)
        eventually(lambda: len(self.client.runs) > before, "a run to be accepted", WHOLE_SECONDS)
        wanted = self.client.runs[before]
        eventually(lambda: self.site.run_states().get(wanted) in ENDED, f"{wanted} to end", WHOLE_SECONDS)

    def _have_all_ended(self) -> bool:
        states = self.site.run_states()
        return all(states.get(run) in ENDED for run in self.client.runs)

    def _count_ended(self) -> int:
        return sum(state in ENDED for state in self.site.run_states().values())
