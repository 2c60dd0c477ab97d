"""Evidence: what a finished scenario left behind, as plain values: nothing here has been judged by flowd's own rules.

Moments of the metastore's clock end in `_us` (microseconds since 1970), moments of CLOCK_MONOTONIC in `_ns`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class TaskKey:
    """A task instance as the outside names it."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    def __str__(self) -> str:
        mapped = "" if self.map_index < 0 else f"[{self.map_index}]"
        return f"{self.dag_id} {self.run_id} {self.task_id}{mapped}"


class Word(StrEnum):
    """What a task writes in its journal: when it begins, while it works, and before it ends."""

    BEGIN = "begin"
    TICK = "tick"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One line that a task's own process has written, whatever anybody else believes of it.

    `items` are how many items it is about to return, said with its end; None where it does not say.
    """

    number: int
    word: Word
    at_ns: int
    task: TaskKey
    try_number: int
    token: str
    pid: int
    items: int | None = None


class Outcome(StrEnum):
    """What a client knows of its request: answered 2xx, refused for certain, or it never heard."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One line of the client's journal: a trigger under an Idempotency-Key. Only OK names a run."""

    number: int
    outcome: Outcome
    at_ns: int
    idempotency_key: str
    dag_id: str
    run_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row of the history of a task instance. `token` is the one held after the change or, at its end, before."""

    version: int
    source: str
    target: str
    cause: str
    try_number: int
    token: str | None
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The ledger's record of one try that has run."""

    try_number: int
    token: str
    worker: str
    cause: str
    started_us: int | None
    ended_us: int
    is_log_truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A task instance as its row says, with its history in the order of the versions."""

    task: TaskKey
    state: str
    version: int
    try_number: int
    token: str | None = None
    pool: str = "default_pool"
    pool_slots: int = 1
    history: Sequence[Change] = ()
    attempts: Sequence[Attempt] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChange:
    """One row of the history of a run."""

    version: int
    source: str
    target: str
    cause: str
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a DAG says of one of its tasks.

    Of a mapped one `length` says to how many instances it expands, in the words of the DAG's document, and
    `mapped_group` which group it shares its map indexes with.
    """

    upstream: Sequence[str] = ()
    trigger_rule: str = "all_success"
    max_active_tis_per_dag: int | None = None
    max_active_tis_per_dagrun: int | None = None
    length: Mapping[str, Any] | None = None
    mapped_group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dag:
    """The version of a DAG that a run is pinned to. A limit of 0 is none."""

    tasks: Mapping[str, Task] = field(default_factory=dict)
    max_active_tasks: int = 0
    max_active_runs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """The backfill that a run is of, since it was made: its own limit is then the run's, and not the DAG's."""

    key: int
    max_active_runs: int
    made_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A DagRun as its row says, with its history in the order of the versions."""

    dag_id: str
    run_id: str
    state: str
    version: int = 0
    unfinished: int = 0
    idempotency_key: str | None = None
    dag: Dag = field(default_factory=Dag)
    backfill: Backfill | None = None
    history: Sequence[RunChange] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that the checker may look at. What is None was not recorded, and what needs it is not decided.

    `is_time_up` says that whatever was to end has had the time that I9 gives it. `is_clock_steady` is False where the
    metastore's clock was moved: what can only be told from the order of its moments is then not decided.
    `commit_skew_us` is how long a transaction may take from reading the clock to its commit: so much later may others
    have seen the slots that it gave back. A run moved to another DAG version is judged by the one it is pinned to now.
    """

    runs: Sequence[Run] = ()
    instances: Sequence[Instance] = ()
    pools: Mapping[str, int] | None = None
    journal: Sequence[JournalLine] | None = None
    requests: Sequence[Request] | None = None
    logs: Mapping[tuple[TaskKey, int], str] | None = None
    is_time_up: bool = True
    is_strictly_fenced: bool = True
    is_clock_steady: bool = True
    commit_skew_us: int = 0
