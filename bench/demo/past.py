"""The past of the demo: three months of finished runs, written straight into the metastore, the same at every time."""

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from bench.demo.dag_files import FAILING
from flowd.db.metastore_url import normalise
from flowd.db.moments import to_db
from flowd.db.tables import attempt, dag, dag_run, dag_version, run_transition, task_instance, task_transition
from flowd.domain.dag_spec import dag_from_json
from flowd.domain.graph import Graph, graph_of
from flowd.domain.ids import TaskId
from flowd.domain.trigger_rules import TriggerRule

WORKERS = ("worker-1", "worker-2", "worker-3")
RUNS_AT_ONCE = 10


@dataclass(slots=True)
class Told:
    """One task instance of one run, as it went."""

    task_id: TaskId
    map_index: int
    state: str
    tries: int = 0
    spans: list[tuple[datetime, datetime]] = field(default_factory=list)


@dataclass(slots=True)
class Rows:
    """What goes into each table."""

    instances: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    transitions: list[dict[str, Any]] = field(default_factory=list)


async def write_past(url: str, *, days: int, now: datetime, seed: int = 7) -> int:
    """Write the runs of the last `days` of every DAG at `url`; return how many there are."""
    engine = create_async_engine(normalise(url)[0])
    written = 0
    try:
        async with engine.connect() as connection:
            found = await connection.execute(
                select(dag.c.dag_id, dag.c.version, dag.c.bundle, dag_version.c.spec).join(
                    dag_version, dag_version.c.id == dag.c.version
                )
            )
            dags = found.all()
        for dag_id, version, bundle, spec in sorted(dags):
            graph = graph_of(dag_from_json(json.loads(spec)))
            chance = random.Random(f"{seed} {dag_id}")
            due = list(_due(graph, chance, now, days))
            for first in range(0, len(due), RUNS_AT_ONCE):
                async with engine.begin() as connection:
                    for moment in due[first : first + RUNS_AT_ONCE]:
                        await _write_run(connection, graph, version, bundle, chance, moment)
                        written += 1
    finally:
        await engine.dispose()
    return written


def _due(graph: Graph, chance: random.Random, now: datetime, days: int) -> Iterator[datetime]:
    timetable = graph.dag.timetable.to_json()
    expression = str(timetable.get("expression") or "")
    every = (
        timedelta(hours=1)
        if expression.startswith("0 * ")
        else timedelta(hours=4)
        if "*/4" in expression
        else timedelta(days=7)
        if expression.endswith(("* * 0", "* * 7"))
        else timedelta(days=1)
    )
    length = days if every >= timedelta(days=1) else min(days, 14)
    at = (now - timedelta(days=length)).replace(hour=chance.randrange(1, 7), minute=0, second=0, microsecond=0)
    while at < now - timedelta(minutes=40):
        if "1-5" not in expression or at.weekday() < 5:
            yield at
        at += every


async def _write_run(
    connection: AsyncConnection, graph: Graph, version: int, bundle: str, chance: random.Random, due: datetime
) -> None:
    begun = due + timedelta(seconds=chance.uniform(0.01, 0.4))
    told = _tell(graph, chance, begun)
    ended = max((span[1] for one in told for span in one.spans), default=begun)
    state = "failed" if any(one.state in ("failed", "upstream_failed") for one in told) else "success"
    run = await connection.execute(
        insert(dag_run).values(
            dag_id=graph.dag.dag_id,
            run_id=f"scheduled__{due.isoformat()}",
            dag_version=version,
            bundle=bundle,
            state=state,
            version=3,
            unfinished=0,
            run_type="scheduled",
            triggered_by="timetable",
            conf="{}",
            logical_date=to_db(due),
            data_interval_start=to_db(due - timedelta(days=1)),
            data_interval_end=to_db(due),
            run_after=to_db(due),
            queued_at=to_db(due),
            started_at=to_db(begun),
            ended_at=to_db(ended),
        )
    )
    assert run.inserted_primary_key is not None
    key = run.inserted_primary_key[0]
    steps = (("queued", "running", "started", begun), ("running", state, state, ended))
    await connection.execute(
        insert(run_transition),
        [
            {"run": key, "version": number, "from_state": old, "to_state": new, "cause": cause, "at": to_db(at)}
            for number, (old, new, cause, at) in enumerate(steps, 2)
        ],
    )
    for one in told:
        await _write_instance(connection, graph, key, one, chance)


async def _write_instance(
    connection: AsyncConnection, graph: Graph, run: int, told: Told, chance: random.Random
) -> None:
    task = graph.tasks[told.task_id]
    worker = chance.choice(WORKERS)
    begun, ended = told.spans[-1] if told.spans else (None, None)
    written = await connection.execute(
        insert(task_instance).values(
            run=run,
            dag_id=graph.dag.dag_id,
            task_id=told.task_id,
            map_index=told.map_index,
            state=told.state,
            version=2 + 3 * told.tries,
            try_number=told.tries,
            max_tries=task.retry.retries,
            worker=worker if begun else None,
            scheduled_at=to_db(begun - timedelta(milliseconds=9)) if begun else None,
            queued_at=to_db(begun - timedelta(milliseconds=6)) if begun else None,
            started_at=to_db(begun) if begun else None,
            ended_at=to_db(ended) if ended else None,
            operator=task.operator,
            pool=task.pool,
            pool_slots=task.pool_slots,
            priority=task.priority,
            queue=task.queue,
        )
    )
    assert written.inserted_primary_key is not None
    key = written.inserted_primary_key[0]
    attempts, transitions, version, before = [], [], 1, "none"
    for number, (start, end) in enumerate(told.spans, 1):
        is_last = number == len(told.spans)
        outcome = told.state if is_last else "up_for_retry"
        for state, cause, at in (
            ("queued", "queued", start - timedelta(milliseconds=6)),
            ("running", "claimed", start),
            (outcome, "succeeded" if outcome == "success" else "failed", end),
        ):
            version += 1
            transitions.append(
                {
                    "instance": key,
                    "version": version,
                    "from_state": before,
                    "to_state": state,
                    "cause": cause,
                    "try_number": number,
                    "at": to_db(at),
                }
            )
            before = state
        attempts.append(
            {
                "instance": key,
                "try_number": number,
                "token": f"{chance.getrandbits(128):032x}",
                "worker": worker,
                "cause": "succeeded"
                if outcome == "success"
                else "skipped itself"
                if outcome == "skipped"
                else "failed",
                "queued_at": to_db(start - timedelta(milliseconds=6)),
                "started_at": to_db(start),
                "ended_at": to_db(end),
                "exit_code": 0 if outcome in ("success", "skipped") else 1,
                "cpu_seconds": round((end - start).total_seconds() * chance.uniform(0.2, 0.9), 3),
                "peak_rss_bytes": int(chance.uniform(18, 240) * 1024 * 1024),
            }
        )
    if attempts:
        await connection.execute(insert(attempt), attempts)
        await connection.execute(insert(task_transition), transitions)


def _tell(graph: Graph, chance: random.Random, begun: datetime) -> list[Told]:
    """Play a run: who fails, for how long each works, and what follows for those downstream."""
    bad = 0.75 if graph.dag.dag_id == FAILING else 0.004
    ends: dict[TaskId, datetime] = {}
    states: dict[TaskId, str] = {}
    told: list[Told] = []
    for task_id, task in graph.tasks.items():
        above = [states[one] for one in task.upstream]
        start = max((ends[one] for one in task.upstream), default=begun) + timedelta(milliseconds=chance.uniform(8, 40))
        is_any = task.trigger_rule is not TriggerRule.ALL_SUCCESS
        if not is_any and any(one in ("failed", "upstream_failed") for one in above):
            told.append(Told(task_id, -1, "upstream_failed"))
            states[task_id], ends[task_id] = "upstream_failed", start
            continue
        if (not is_any and "skipped" in above) or (task_id == "send" and chance.random() < 0.8):
            told.append(Told(task_id, -1, "skipped"))
            states[task_id], ends[task_id] = "skipped", start
            continue
        typical = 3 + random.Random(task_id).expovariate(1 / 60)
        indexes = range(4) if task.expansion is not None else (-1,)
        ones = [_attempts(chance, task_id, index, start, typical, bad, task.retry.retries) for index in indexes]
        told += ones
        ends[task_id] = max(one.spans[-1][1] for one in ones)
        states[task_id] = "failed" if any(one.state == "failed" for one in ones) else "success"
    return told


def _attempts(
    chance: random.Random, task_id: TaskId, index: int, start: datetime, typical: float, bad: float, retries: int
) -> Told:
    told = Told(task_id, index, "success")
    is_bad_day = chance.random() < bad
    for number in range(1, retries + 2):
        took = timedelta(seconds=typical * math.exp(chance.gauss(0, 0.25)))
        told.tries = number
        told.spans.append((start, start + took))
        if not (is_bad_day and (number <= retries or chance.random() < 0.6)):
            return told
        start += took + timedelta(seconds=20)
    told.state = "failed"
    return told


def now_utc() -> datetime:
    """Return the moment up to which the past goes."""
    return datetime.now(UTC)
