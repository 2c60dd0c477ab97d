"""trigger_run: someone asks for a run of a DAG."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from flowd.actions.backends import Backends
from flowd.actions.params import check_conf, check_params
from flowd.db.latest import Latest, latest
from flowd.db.ledger.create import NewRun, create_run, find_by_idempotency_key
from flowd.db.transaction import Transaction
from flowd.domain.assets import leaves
from flowd.domain.dag_run import DagRun
from flowd.domain.dag_spec import DagSpec
from flowd.domain.data_interval import DataInterval
from flowd.domain.errors import Conflict, InvalidInput
from flowd.domain.ids import DagId, RunId
from flowd.domain.partition.plan import check_key, date_of_key
from flowd.domain.run_id import run_id_for
from flowd.domain.states import RunType, TriggeredBy
from flowd.domain.timetable import (
    CronPartitionTimetable,
    CustomTimetable,
    RuntimePartitionTimetable,
    infer_manual_interval,
)

MOST_RUN_ID_LENGTH = 250
_RUN_ID = re.compile(r"[A-Za-z0-9_.~:+-]+")
_NAMED_AS = {RunType.OPERATOR_TRIGGERED: RunType.MANUAL}
"""As Airflow names runs that nobody names: one that a task has triggered is called like any other."""

_OWN_KEY = "flowd:"
"""Begins the keys of requests that gave none."""


async def trigger_run(
    backends: Backends,
    *,
    dag_id: DagId,
    triggered_by: TriggeredBy,
    run_type: RunType = RunType.MANUAL,
    run_id: RunId | None = None,
    logical_date: datetime | None = None,
    data_interval: DataInterval | None = None,
    run_after: datetime | None = None,
    conf: Mapping[str, Any] | None = None,
    note: str | None = None,
    user: str | None = None,
    idempotency_key: str | None = None,
    partition_key: str | None = None,
) -> DagRun:
    """Make a queued run of the DAG's current version and return it; it is durable when this returns.

    The same `idempotency_key` returns the run that it made the first time. A paused DAG's run waits, queued, until the
    DAG is unpaused. Raises NotFound for an unknown DAG, Conflict where the run id or logical date is taken, and
    InvalidInput for a run id, conf, interval or partition key that cannot be.
    """
    _check_run_id(run_id)
    check_conf(conf)
    # Drawn once for all tries: where only the answer to a COMMIT was lost, the next try finds the run it has made.
    key = f"{_OWN_KEY}{secrets.token_hex(16)}" if idempotency_key is None else idempotency_key

    async def attempt() -> DagRun:
        async with backends.metastore.transaction() as tx:
            made = await find_by_idempotency_key(tx, dag_id, key)
            if made is not None:
                return made
            current = await latest(tx, backends.graphs, dag_id)
            now = await tx.now()
            moment = run_after or now
            check_params(current.graph.dag, conf or {})
            new = NewRun(
                dag_id=dag_id,
                run_id=run_id or run_id_for(_NAMED_AS.get(run_type, run_type), logical_date or moment),
                dag_version=current.version,
                bundle=current.bundle,
                run_type=run_type,
                triggered_by=triggered_by,
                run_after=moment,
                logical_date=logical_date,
                data_interval=data_interval or _interval(current, logical_date),
                partition_key=partition_key,
                partition_date=_partition_date(current.graph.dag, partition_key),
                conf=conf or {},
                note=note,
                triggering_user=user,
                idempotency_key=key,
                deadlines=current.graph.dag.deadlines,
            )
            run = await _create(tx, new, key, now, is_named=run_id is not None or logical_date is not None)
            tx.tell(f"run {dag_id}.{run.run_id}", None, {"state": run.state.value, "logical_date": logical_date})
            return run

    run = await backends.metastore.retrying(attempt)
    await backends.queue.ring([run.key])
    return run


async def _create(tx: Transaction, new: NewRun, key: str, now: datetime, *, is_named: bool) -> DagRun:
    try:
        return await create_run(tx, new, now)
    except Conflict:
        made = await find_by_idempotency_key(tx, new.dag_id, key)
        if made is not None:
            return made
        if is_named:
            raise
    # Two nameless runs were asked for in one tick of the metastore's clock: this one gets Airflow's random suffix.
    return await create_run(tx, replace(new, run_id=RunId(f"{new.run_id}_{secrets.token_hex(4)}")), now)


def _interval(current: Latest, logical_date: datetime | None) -> DataInterval | None:
    timetable = current.graph.dag.timetable
    if logical_date is None or isinstance(timetable, CustomTimetable):
        # An author's timetable is asked by a scheduler, and the run waits for its answer.
        return None
    return infer_manual_interval(timetable, logical_date)


def _partition_date(dag: DagSpec, key: str | None) -> datetime | None:
    """Return the moment that the partition begins, where the DAG's schedule knows it; refuse what cannot be its key."""
    if key is None:
        return None
    timetable = dag.timetable
    if dag.partitioning is None and not isinstance(timetable, CronPartitionTimetable | RuntimePartitionTimetable):
        raise InvalidInput(f"Dag '{dag.dag_id}' is not a partitioned Dag and does not accept a partition_key.")
    check_key(key)
    if dag.partitioning is not None and dag.assets is not None:
        return date_of_key(dag.partitioning, {one.name for one in leaves(dag.assets)}, key)
    if not isinstance(timetable, CronPartitionTimetable):
        return None
    try:
        return timetable.date_of(key)
    except ValueError as error:
        raise InvalidInput(
            f"Partition key {key!r} does not match the timetable's key_format {timetable.key_format!r}: {error}"
        ) from error


def _check_run_id(run_id: str | None) -> None:
    if run_id is None:
        return
    if not run_id or len(run_id) > MOST_RUN_ID_LENGTH:
        raise InvalidInput(f"the run id has {len(run_id)} characters; wanted 1 to {MOST_RUN_ID_LENGTH}")
    if not _RUN_ID.fullmatch(run_id):
        raise InvalidInput(f"the run id {run_id!r} has other characters than letters, digits and _ . ~ : + -")
