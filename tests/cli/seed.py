"""A home whose metastore has something of everything, as schedulers and workers leave it."""

from pathlib import Path

from flowd.db import import_errors, nodes
from flowd.db.metastore import Metastore
from flowd.db.migrate import upgrade
from flowd.domain.assets import AliasSpec, AllOf, AssetSpec
from flowd.domain.timetable import CronTriggerTimetable
from flowd.logs.paths import log_path
from tests.api.cluster import Cluster, a_cluster
from tests.api.mapped_tasks import start_mapped
from tests.api.test_hitl import asking
from tests.api.test_workers import WORKER
from tests.support.specs import a_dag, a_task

ORDERS = AssetSpec(name="orders", uri="s3://shop/orders")
RATES = AssetSpec(name="rates", uri="s3://bank/rates")
GROUPS = {"id": None, "children": [{"id": "all", "children": ["extract", "load"]}]}
LOG = b"2026-01-01T12:00:00.000001Z o hello\n2026-01-01T12:00:01.000000Z e oh no\n"


async def seed(home: Path) -> None:
    """Fill the home.

    The run `one` of `etl` asks people something, `two` has ended, `three` and `four` are queued; `mapped` has a mapped
    task; `maker` makes the asset `orders`, for which `report` waits; `daily` has a schedule; `bad.py` cannot be read.
    """
    metastore = Metastore(f"sqlite:///{home}/flowd.db")
    try:
        await upgrade(metastore)
        async with a_cluster(metastore, home) as cluster:
            await _fill(cluster)
    finally:
        await metastore.close()


async def _fill(cluster: Cluster) -> None:
    await cluster.save(
        a_dag(a_task("extract"), a_task("load", after=["extract"]), presentation={"tags": ["sales"], "groups": GROUPS}),
        a_dag(a_task("make", outlets=(ORDERS, AliasSpec(name="any"))), dag_id="maker", file="maker.py"),
        a_dag(a_task("read"), dag_id="report", file="report.py", assets=AllOf((ORDERS, RATES))),
        a_dag(a_task("t"), dag_id="daily", file="daily.py", timetable=CronTriggerTimetable("0 0 * * *", "UTC")),
        a_dag(a_task("t"), dag_id="daily_too", file="daily.py"),
    )
    await cluster.succeed((await start_mapped(cluster))[2])
    await asking(cluster)
    instances = await cluster.start(await cluster.trigger(run_id="two"))
    await cluster.succeed(instances["extract"], {"rows": 7})
    await cluster.fail(instances["load"])
    for run_id in ("three", "four"):
        await cluster.trigger(run_id=run_id)
    path = log_path(cluster.settings.logs.folder, "etl", "two", "extract", -1, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(LOG)
    async with cluster.metastore.transaction() as tx:
        await import_errors.replace(tx, ["bad.py"], {"bad.py": "SyntaxError: oh"}, await tx.now())
        await nodes.say_hello(tx, WORKER)
