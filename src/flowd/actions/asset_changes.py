"""What people do to assets: say that one has changed, forget what is queued, have one made."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flowd.actions.backends import Backends
from flowd.actions.trigger_run import trigger_run
from flowd.db import asset_events, assets
from flowd.db.assets import Made
from flowd.db.views.sight import hidden_dags
from flowd.domain.assets import AssetNews
from flowd.domain.dag_run import DagRun
from flowd.domain.data_interval import DataInterval
from flowd.domain.errors import Conflict, NotFound
from flowd.domain.ids import DagId, RunId
from flowd.domain.partition.plan import check_key
from flowd.domain.states import RunType, TriggeredBy


async def create_asset_event(
    backends: Backends, asset: int, extra: Mapping[str, Any], partition_key: str | None = None
) -> int:
    """Write that the asset has changed, queue that for every DAG scheduled by it, and return the event's id.

    Raises NotFound for an unknown asset, InvalidInput for what is no partition key. Schedulers find it at their
    next look.
    """
    if partition_key is not None:
        check_key(partition_key)
    async with backends.metastore.transaction() as tx:
        spec = await assets.spec_of(tx, asset)
        if spec is None:
            raise NotFound(f"Asset with ID: `{asset}` was not found")
        news = AssetNews(asset=spec, extra=extra, partition_key=partition_key)
        tx.tell(f"event of asset {spec.name}", None, {"partition_key": partition_key})
        (event,) = await assets.record(tx, [Made(instance=None, news=news)], await tx.now())
        return event


async def forget_queued(
    backends: Backends, *, dag_id: DagId | None = None, asset: int | None = None, before: datetime | None = None
) -> None:
    """Take events from the queues of DAGs: of a DAG, an asset or both, and older than `before`.

    Raises NotFound where there is none.
    """
    async with backends.metastore.transaction() as tx:
        gone = await asset_events.take(tx, dag_id=dag_id, asset=asset, before=before)
        if gone:
            tx.tell("queued asset events", {"queued": gone}, {"queued": 0})
    if gone:
        return
    if dag_id is not None and asset is not None:
        raise NotFound(f"Queued event with dag_id: `{dag_id}` and asset_id: `{asset}` was not found")
    of = f"asset_id: `{asset}`" if dag_id is None else f"dag_id: `{dag_id}`"
    raise NotFound(f"Queue event with {of} was not found")


async def maker_of(backends: Backends, asset: int) -> DagId:
    """Return the one DAG that has a task with this asset as its outlet; raise NotFound, or Conflict for several.

    DAGs that may not be seen do not count.
    """
    async with backends.metastore.reading() as tx:
        hidden = await hidden_dags(tx)
        makers = [dag_id for dag_id in await assets.makers_of(tx, asset) if dag_id not in hidden]
    if not makers:
        raise NotFound(f"No DAG materializes asset with ID: {asset}")
    if len(makers) > 1:
        raise Conflict(f"More than one DAG materializes asset with ID: {asset}")
    return makers[0]


async def materialize_asset(
    backends: Backends,
    asset: int,
    *,
    run_id: RunId | None = None,
    logical_date: datetime | None = None,
    data_interval: DataInterval | None = None,
    run_after: datetime | None = None,
    conf: Mapping[str, Any] | None = None,
    note: str | None = None,
    partition_key: str | None = None,
    user: str | None = None,
) -> DagRun:
    """Make a run of the one DAG that has a task with this asset as its outlet, and return it.

    Raises what `maker_of` and `trigger_run` raise.
    """
    return await trigger_run(
        backends,
        dag_id=await maker_of(backends, asset),
        triggered_by=TriggeredBy.REST_API,
        run_type=RunType.ASSET_MATERIALIZATION,
        run_id=run_id,
        logical_date=logical_date,
        data_interval=data_interval,
        run_after=run_after,
        conf=conf,
        note=note,
        partition_key=partition_key,
        user=user,
    )
