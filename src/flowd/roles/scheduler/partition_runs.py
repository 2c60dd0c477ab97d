"""Runs of a DAG that is scheduled by partitions of assets: one for each key for which enough has arrived."""

from collections.abc import Sequence

import structlog

from flowd.db import asset_arrivals, asset_events
from flowd.db.asset_events import Queued
from flowd.db.ledger.create import NewRun, create_run
from flowd.db.transaction import Transaction
from flowd.domain.assets import AssetCondition
from flowd.domain.dag_run import DagRun
from flowd.domain.dag_spec import DagSpec
from flowd.domain.partition.plan import Arrival, NotMapped, Partitioning, date_of, is_ready, plan_hash, targets
from flowd.domain.run_id import partition_run_id
from flowd.domain.states import RunType, TriggeredBy

log = structlog.get_logger(__name__)


async def create_partition_runs(
    tx: Transaction, dag: DagSpec, queued: Queued, plan: Partitioning, condition: AssetCondition
) -> list[DagRun]:
    """Take what is queued for the DAG, whose row is locked, and make a run of each key that this completes.

    An event that is for no key is told in the log, and is lost to this DAG. So is what had arrived for a plan that the
    DAG has no longer.
    """
    named = plan_hash(plan)
    lost = await asset_arrivals.forget_other_plans(tx, queued.dag_id, named)
    if lost:
        log.warning("partition mappers have changed: what had arrived is forgotten", dag=queued.dag_id, events=lost)
    await asset_events.forget(tx, queued)
    mapped = [
        (key, one.event)
        for one in await asset_arrivals.events(tx, queued.events)
        for key in _targets(dag, plan, one.asset, one.key)
    ]
    await asset_arrivals.note(tx, queued.dag_id, named, mapped)
    touched = list(dict.fromkeys(key for key, _ in mapped))
    found = await asset_arrivals.arrived(tx, queued.dag_id, touched)
    ready = [key for key in touched if is_ready(plan, condition, key, found[key])]
    return [await _create(tx, dag, queued, plan, key, found[key], number) for number, key in enumerate(ready)]


def _targets(dag: DagSpec, plan: Partitioning, asset: str, key: str) -> Sequence[str]:
    try:
        return targets(plan, asset, key)
    except NotMapped as error:
        log.warning("asset event is for no partition of the DAG", dag=dag.dag_id, reason=str(error))
        return ()


async def _create(
    tx: Transaction, dag: DagSpec, queued: Queued, plan: Partitioning, key: str, about: Sequence[Arrival], number: int
) -> DagRun:
    now = await tx.now()
    run = await create_run(
        tx,
        NewRun(
            dag_id=queued.dag_id,
            run_id=partition_run_id(now, queued.events[0], number),
            dag_version=queued.version,
            bundle=queued.bundle,
            run_type=RunType.ASSET_TRIGGERED,
            triggered_by=TriggeredBy.ASSET,
            run_after=now,
            partition_key=key,
            partition_date=date_of(plan, key, about),
            deadlines=dag.deadlines,
        ),
        now,
    )
    await asset_arrivals.answer(tx, queued.dag_id, key, about, run.key)
    return run
