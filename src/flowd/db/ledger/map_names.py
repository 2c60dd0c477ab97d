"""The names of map indexes, which authors make of what a task was given: pages show them in the place of numbers."""

from collections.abc import Mapping

from flowd.db.ledger.read import as_json
from flowd.db.transaction import Transaction
from flowd.domain.ids import InstanceKey

MOST_CHARACTERS = 250
"""What the column holds."""


async def keep(tx: Transaction, names: Mapping[InstanceKey, str]) -> None:
    """Name the map indexes of these instances, cut to MOST_CHARACTERS, in the place of the names they had; deferred.

    The names stay until others come: they are no part of what happens to an instance. Whoever calls shows the token of
    the try that gave the name, or holds the instances.
    """
    if names:
        statement = tx.dialect.update(
            "task_instance",
            {"rendered_map_index": "r.rendered_map_index"},
            rows=tx.dialect.rows({"id": "int", "rendered_map_index": "text"}),
            where="task_instance.id = r.id",
        )
        rows = [{"id": key, "rendered_map_index": name[:MOST_CHARACTERS]} for key, name in names.items()]
        await tx.defer("task_instance", statement, {"rows": as_json(rows)})
