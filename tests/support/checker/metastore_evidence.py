"""Evidence from a metastore: rows as they are, by statements that every database understands."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from flowd.db.metastore import Metastore
from flowd.db.rows import Row
from flowd.db.transaction import Transaction
from flowd.logs.paths import log_path
from tests.support.checker.evidence import (
    Attempt,
    Backfill,
    Change,
    Dag,
    Evidence,
    Instance,
    Run,
    RunChange,
    Task,
    TaskKey,
)
from tests.support.checker.journal import parse_journal, parse_requests, read_text

COMMIT_SKEW_US = 10_000_000
"""How long a transaction on a server may take at the most: longer than any statement is waited for by these tests."""


async def evidence_of(
    url: str, *, journal: Path | None = None, requests: Path | None = None, logs: Path | None = None, **facts: Any
) -> Evidence:
    """Return the evidence in the metastore at `url` and in these files; `facts` are further fields of Evidence."""
    metastore = Metastore(url, pool_size=1)
    try:
        evidence = replace(await read_evidence(metastore), **facts)
    finally:
        await metastore.close()
    if journal is not None:
        evidence = replace(evidence, journal=parse_journal(read_text(journal)))
    if requests is not None:
        evidence = replace(evidence, requests=parse_requests(read_text(requests)))
    return evidence if logs is None else replace(evidence, logs=_logs(logs, evidence))


async def read_evidence(metastore: Metastore) -> Evidence:
    """Return what one snapshot of the metastore holds."""
    async with metastore.reading() as tx:
        dags = {number: _dag(json.loads(spec)) for number, spec in await tx.execute("SELECT id, spec FROM dag_version")}
        runs = await _runs(tx, dags)
        instances = await _instances(tx, runs)
        pools = {name: slots for name, slots in await tx.execute("SELECT name, slots FROM pool")}
    return Evidence(
        runs=list(runs.values()),
        instances=instances,
        pools=pools,
        # SQLite has one writer at a time, which reads the clock after it has become it.
        commit_skew_us=0 if metastore.is_embedded else COMMIT_SKEW_US,
    )


async def _runs(tx: Transaction, dags: dict[int, Dag]) -> dict[int, Run]:
    history: dict[int, list[RunChange]] = defaultdict(list)
    for run, version, source, target, cause, at in await tx.execute(
        "SELECT run, version, from_state, to_state, cause, at FROM run_transition ORDER BY run, version"
    ):
        history[run].append(RunChange(version=version, source=source, target=target, cause=cause, at_us=at))
    backfills = {
        key: Backfill(key=key, max_active_runs=limit, made_at_us=made_at)
        for key, limit, made_at in await tx.execute("SELECT id, max_active_runs, created_at FROM backfill")
    }
    return {
        key: Run(
            dag_id=dag_id,
            run_id=run_id,
            state=state,
            version=version,
            unfinished=unfinished,
            idempotency_key=idempotency_key,
            dag=dags[pinned],
            backfill=backfills.get(backfill),
            history=history[key],
        )
        for key, dag_id, run_id, pinned, state, version, unfinished, idempotency_key, backfill in await tx.execute(
            "SELECT id, dag_id, run_id, dag_version, state, version, unfinished, idempotency_key, backfill FROM dag_run"
            " ORDER BY id"
        )
    }


async def _instances(tx: Transaction, runs: dict[int, Run]) -> list[Instance]:
    history, attempts = await _history(tx), await _attempts(tx)
    rows = await tx.execute(
        "SELECT id, run, task_id, map_index, state, version, try_number, token, pool, pool_slots"
        " FROM task_instance ORDER BY id"
    )
    return [
        Instance(
            task=TaskKey(runs[row["run"]].dag_id, runs[row["run"]].run_id, row["task_id"], row["map_index"]),
            state=row["state"],
            version=row["version"],
            try_number=row["try_number"],
            token=row["token"],
            pool=row["pool"],
            pool_slots=row["pool_slots"],
            history=history[row["id"]],
            attempts=attempts[row["id"]],
        )
        for row in rows.mappings()
    ]


async def _history(tx: Transaction) -> dict[int, list[Change]]:
    rows = await tx.execute(
        "SELECT instance, version, from_state, to_state, cause, try_number, token, at FROM task_transition"
        " ORDER BY instance, version"
    )
    return _grouped(
        (
            row["instance"],
            Change(
                version=row["version"],
                source=row["from_state"],
                target=row["to_state"],
                cause=row["cause"],
                try_number=row["try_number"],
                token=row["token"],
                at_us=row["at"],
            ),
        )
        for row in rows.mappings()
    )


async def _attempts(tx: Transaction) -> dict[int, list[Attempt]]:
    rows: Iterable[Row] = (
        await tx.execute(
            "SELECT instance, try_number, token, worker, cause, started_at, ended_at, is_log_truncated FROM attempt"
        )
    ).mappings()
    return _grouped(
        (
            row["instance"],
            Attempt(
                try_number=row["try_number"],
                token=row["token"],
                worker=row["worker"],
                cause=row["cause"],
                started_us=row["started_at"],
                ended_us=row["ended_at"],
                is_log_truncated=bool(row["is_log_truncated"]),
            ),
        )
        for row in rows
    )


def _grouped(pairs: Iterable[tuple[int, Any]]) -> dict[int, list[Any]]:
    groups: dict[int, list[Any]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def _dag(spec: dict[str, Any]) -> Dag:
    return Dag(
        tasks={
            task["task_id"]: Task(
                upstream=task["upstream"],
                trigger_rule=task["trigger_rule"],
                max_active_tis_per_dag=task["max_active_tis_per_dag"],
                max_active_tis_per_dagrun=task["max_active_tis_per_dagrun"],
                length=task.get("expansion", {}).get("length"),
                mapped_group=task.get("expansion", {}).get("group"),
            )
            for task in spec["tasks"]
        },
        max_active_tasks=spec["max_active_tasks"],
        max_active_runs=spec["max_active_runs"],
    )


def _logs(root: Path, evidence: Evidence) -> dict[tuple[TaskKey, int], str]:
    """Return the logs of the tries that the journal speaks of, those that exist."""
    tries = {(line.task, line.try_number) for line in evidence.journal or ()}
    paths = {
        (task, number): log_path(root, task.dag_id, task.run_id, task.task_id, task.map_index, number)
        for task, number in tries
    }
    return {key: path.read_text(errors="replace") for key, path in paths.items() if path.exists()}
