"""Deferrals: what each deferred task instance waits for, and how it goes on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flowd.db.ledger.read import as_json
from flowd.db.transaction import Transaction
from flowd.domain.deferral import Deferral, Resume, resume_from_json, resume_to_json
from flowd.domain.ids import ClaimToken, InstanceKey
from flowd.domain.task_instance import TaskInstance

_COLUMNS = {
    "instance": "int",
    "try_number": "int",
    "leg": "int",
    "token": "text",
    "resume": "text",
    "classpath": "text",
    "kwargs": "text",
    "file": "text",
    "is_in_bundle": "bool",
    "is_open": "bool",
    "triggerer": "text",
    "lease_until": "int",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """An instance that has just been deferred, by the leg that held `token`."""

    instance: TaskInstance
    token: ClaimToken
    deferral: Deferral


async def store(tx: Transaction, deferred: Sequence[Deferred]) -> None:
    """Store what these instances wait for, each in the place of what it waited for before; deferred to the flush."""
    if not deferred:
        return
    document = as_json([_row(one) for one in deferred])
    for statement in tx.dialect.replace("deferral", _COLUMNS, keys=("instance",)):
        await tx.defer("deferral", statement, {"rows": document})


async def resumes(tx: Transaction, instances: Sequence[TaskInstance]) -> dict[InstanceKey, Resume]:
    """Return how those of these instances go on whose present leg follows a deferral."""
    waited = {one.key: one for one in instances if one.leg}
    if not waited:
        return {}
    rows = await tx.execute(
        f"SELECT instance, try_number, leg, resume FROM deferral WHERE instance IN {tx.dialect.keys()}",
        {"keys": json.dumps(sorted(waited))},
    )
    return {
        InstanceKey(key): resume_from_json(json.loads(text))
        for key, try_number, leg, text in rows
        if (try_number, leg) == (waited[key].try_number, waited[key].leg)
    }


def _row(one: Deferred) -> dict[str, Any]:
    trigger = one.deferral.trigger
    return {
        "instance": one.instance.key,
        "try_number": one.instance.try_number,
        "leg": one.instance.leg,
        "token": one.token,
        # In ASCII: JSON can hold what no metastore can, but only as escapes.
        "resume": json.dumps(resume_to_json(one.deferral.otherwise)),
        "classpath": None if trigger is None else trigger.classpath,
        "kwargs": None if trigger is None else json.dumps(dict(trigger.kwargs)),
        "file": None if trigger is None else trigger.file,
        "is_in_bundle": trigger is not None and trigger.is_in_bundle,
        "is_open": trigger is not None,
        "triggerer": None,
        "lease_until": None,
    }
