"""A run with a mapped task and a mapped group, as the ledger has it when they have expanded."""

from flowd.db.ledger import mapped
from flowd.domain.map_length import Expansion, LiteralLength
from flowd.domain.tally import Tally
from flowd.domain.task_instance import TaskInstance
from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task

MAPPED = "/api/v2/dags/mapped/dagRuns/one/taskInstances"


async def start_mapped(cluster: Cluster, length: int = 3) -> list[TaskInstance]:
    """Start the run `one` of the DAG `mapped`, and return the instances of its task `m`.

    There are `m`, expanded to `length`; `g.x` of the mapped group `g`, not expanded; and `plain`.
    """
    items = LiteralLength(length)
    tasks = (
        a_task("m", expansion=Expansion(length=items)),
        a_task("g.x", expansion=Expansion(length=items, group="g")),
        a_task("plain"),
    )
    await cluster.save(a_dag(*tasks, dag_id="mapped"))
    instances = await cluster.start(await cluster.trigger("mapped"))
    async with cluster.metastore.transaction() as tx:
        first = await mapped.become_first(tx, instances["m"])
        return [first, *await mapped.make(tx, first, range(1, length), retries=0, tally=Tally())]
