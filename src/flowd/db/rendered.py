"""The rendered template fields of each try."""

import json
from collections.abc import Mapping
from typing import Any

from flowd.db.transaction import Transaction
from flowd.domain.ids import InstanceKey


async def store(tx: Transaction, instance: InstanceKey, try_number: int, fields: Mapping[str, Any]) -> None:
    """Keep the rendered fields of a try, in the place of those it had."""
    where = {"instance": instance, "try_number": try_number}
    await tx.execute("DELETE FROM rendered WHERE instance = :instance AND try_number = :try_number", where)
    await tx.execute(
        "INSERT INTO rendered (instance, try_number, fields) VALUES (:instance, :try_number, :fields)",
        {**where, "fields": json.dumps(dict(fields), ensure_ascii=False)},
    )
