"""XComs that people leave, change and delete, in the name of a task instance."""

from typing import Any

from flowd.actions.backends import Backends
from flowd.db import xcoms
from flowd.db.ledger import read
from flowd.db.transaction import Transaction
from flowd.domain.errors import Conflict, InvalidInput, NotFound
from flowd.domain.ids import InstanceKey
from flowd.domain.stored_value import holds_reference


async def create_xcom(backends: Backends, instance: InstanceKey, key: str, value: Any) -> None:
    """Leave a JSON value under this key; raise Conflict where there is one, InvalidInput for a reference."""
    _refuse_reference(value)
    async with backends.metastore.transaction() as tx:
        await _hold(tx, instance)
        if await xcoms.has(tx, instance, key):
            raise Conflict(f"The XCom with key: `{key}` with mentioned task instance already exists.")
        tx.tell(f"XCom {key}", None, {})
        await xcoms.push(tx, [(instance, key, value)], await tx.now())


async def change_xcom(backends: Backends, instance: InstanceKey, key: str, value: Any) -> None:
    """Put a JSON value in the place of the one under this key; raise NotFound where there is none.

    Raises InvalidInput for a reference.
    """
    _refuse_reference(value)
    async with backends.metastore.transaction() as tx:
        await _hold(tx, instance)
        if not await xcoms.has(tx, instance, key):
            raise _missing(key)
        tx.tell(f"XCom {key}", {}, {})
        await xcoms.push(tx, [(instance, key, value)], await tx.now())


async def delete_xcom(backends: Backends, instance: InstanceKey, key: str) -> None:
    """Delete the value under this key; raise NotFound where there is none."""
    async with backends.metastore.transaction() as tx:
        if not await xcoms.delete(tx, instance, key):
            raise _missing(key)
        tx.tell(f"XCom {key}", {}, None)


async def _hold(tx: Transaction, instance: InstanceKey) -> None:
    # Under the lock of the instance, as its worker writes: what is looked for cannot appear or go meanwhile.
    await read.instances(tx, [instance])


def _refuse_reference(value: Any) -> None:
    # Who pulls it would read, with a worker's credentials, whatever place a person has named.
    if holds_reference(value):
        raise InvalidInput(
            "references to values that are stored elsewhere are made by tasks alone; give the value itself"
        )


def _missing(key: str) -> NotFound:
    return NotFound(f"The XCom with key: `{key}` with mentioned task instance doesn't exist.")
