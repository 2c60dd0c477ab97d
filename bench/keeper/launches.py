"""The launches that a worker makes for the two kinds of no-op: `true` in bash, and a Python task that does nothing."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from flowd.child.launch import Call, Launch, Script
from flowd.domain.assignment import Assignment, RunContext, assignment_to_json
from flowd.domain.ids import BundleHash, ClaimToken, DagId, InstanceKey, RunId, TaskId
from flowd.domain.states import RunType
from flowd.domain.work import BashWork, PythonWork, Work
from flowd.queue.base import Claimed
from flowd.roles.worker.attempt import ENTRY
from flowd.roles.worker.task_environment import scrubbed, task_environment

DAG_FOLDER = Path(__file__).parents[1] / "dags" / "standard"
DAG_FILE = "noop_fan.py"

_LEASE_NS = 60_000_000_000
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def bash_launch(folder: Path, number: int) -> Launch:
    """Return the launch of `true`; its log lies in `folder`."""
    return _launch(folder, number, "first", BashWork(script="true"), lambda _: Script(script="true"))


def noop_launch(folder: Path, number: int) -> Launch:
    """Return the launch of a no-op of the bench's DAGs; its log lies in `folder`."""

    def program(assignment: Assignment) -> Call:
        payload = {"assignment": assignment_to_json(assignment), "bundle_root": str(DAG_FOLDER), "token": "t"}
        return Call(entry=ENTRY, payload=payload, warm=(str(DAG_FOLDER), DAG_FILE))

    return _launch(folder, number, "noop_0", PythonWork(file=DAG_FILE, callable="noop"), program)


def _launch(
    folder: Path, number: int, task_id: str, work: Work, program: Callable[[Assignment], Script | Call]
) -> Launch:
    assignment = Assignment(
        instance=InstanceKey(number),
        dag_id=DagId("bench_noop_fan"),
        run_id=RunId("manual__2026-01-01T00:00:00+00:00"),
        task_id=TaskId(task_id),
        try_number=1,
        max_tries=0,
        operator="bench",
        work=work,
        bundle=BundleHash("0" * 64),
        run=RunContext(run_type=RunType.MANUAL, run_after=_NOW, logical_date=_NOW, start_date=_NOW),
    )
    token = ClaimToken(f"{number:032x}")
    fence_at_ns = time.monotonic_ns() + _LEASE_NS
    claimed = Claimed(assignment=assignment, token=token, fence_at_ns=fence_at_ns)
    return Launch(
        program=program(assignment),
        env=task_environment(scrubbed(os.environ), claimed),
        log=str(folder / "logs" / f"{number}.log"),
        fence_at_ns=fence_at_ns,
        mark=token,
    )
