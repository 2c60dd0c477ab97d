"""What people write into the state that task instances and assets keep."""

from datetime import datetime
from typing import Any

from flowd.actions.backends import Backends
from flowd.db import assets, state_store
from flowd.db.transaction import Transaction
from flowd.domain.errors import InvalidInput, NotFound
from flowd.domain.ids import InstanceKey


async def keep_of_task(
    backends: Backends,
    instance: InstanceKey,
    key: str,
    value: Any,
    *,
    expires_at: datetime | None = None,
) -> None:
    """Let the task instance keep the value until that moment, None for as long as its run is kept."""
    async with backends.metastore.transaction() as tx:
        now = await tx.now()
        if expires_at is not None and expires_at <= now:
            raise InvalidInput(f"expires_at is {expires_at.isoformat()}; wanted a moment that is to come")
        tx.tell(f"kept value {key}", {}, {})
        await state_store.set_of_task(tx, instance, key, value, now, expires_at - now if expires_at else None)


async def change_of_task(backends: Backends, instance: InstanceKey, key: str, value: Any) -> None:
    """Put the value in the place of one that the instance keeps, for as long as that; raise NotFound for none."""
    async with backends.metastore.transaction() as tx:
        if not await state_store.change_of_task(tx, instance, key, value, await tx.now()):
            raise NotFound(f"Task state store key {key!r} not found")
        tx.tell(f"kept value {key}", {}, {})


async def forget_of_task(backends: Backends, instances: list[InstanceKey], key: str | None) -> None:
    """Delete what these instances keep under this key, or with None everything; what is not there is no error."""
    async with backends.metastore.transaction() as tx:
        tx.tell(_gone(key), {}, None)
        for instance in instances:
            await state_store.delete_of_task(tx, instance, key)


async def keep_of_asset(backends: Backends, asset: int, key: str, value: Any) -> None:
    """Let the asset keep the value; raise NotFound for an unknown one."""
    async with backends.metastore.transaction() as tx:
        await _check(tx, asset)
        tx.tell(f"kept value {key} of asset {asset}", {}, {})
        await state_store.set_of_asset(tx, asset, key, value, await tx.now(), None)


async def forget_of_asset(backends: Backends, asset: int, key: str | None) -> None:
    """Delete what the asset keeps under this key, or with None everything; raise NotFound for an unknown asset."""
    async with backends.metastore.transaction() as tx:
        await _check(tx, asset)
        tx.tell(f"{_gone(key)} of asset {asset}", {}, None)
        await state_store.delete_of_asset(tx, asset, key)


def _gone(key: str | None) -> str:
    return "every kept value" if key is None else f"kept value {key}"


async def _check(tx: Transaction, asset: int) -> None:
    if not await assets.is_known(tx, asset):
        raise NotFound(f"The Asset with ID: `{asset}` was not found")
