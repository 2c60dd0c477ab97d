"""Pools: how many slots tasks may hold together."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select

from flowd.db.metastore import Metastore
from flowd.db.tables import pool
from flowd.db.transaction import Transaction
from flowd.db.upsert import upsert
from flowd.domain.errors import Conflict, InvalidInput, NotFound
from flowd.domain.task_spec import DEFAULT_POOL

UNLIMITED = -1
LONGEST_NAME = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A named number of slots, -1 for no limit; deferred tasks hold theirs only with `include_deferred`."""

    name: str
    slots: int
    description: str = ""
    include_deferred: bool = False


class Pools:
    """The pools in the metastore. Every method is one transaction."""

    def __init__(self, metastore: Metastore) -> None:
        self._metastore = metastore

    async def list(self) -> list[Pool]:
        """Return every pool, by name."""
        async with self._metastore.reading() as tx:
            rows = (await tx.execute(select(pool).order_by(pool.c.name))).mappings()
            return [
                Pool(
                    name=row["name"],
                    slots=row["slots"],
                    description=row["description"] or "",
                    include_deferred=bool(row["include_deferred"]),
                )
                for row in rows
            ]

    async def get(self, name: str) -> Pool:
        """Return one pool; raise NotFound."""
        for one in await self.list():
            if one.name == name:
                return one
        raise _missing(name)

    async def set(self, *pools: Pool) -> None:
        """Make these pools or change them, all or none; raise InvalidInput for a bad one."""
        for one in pools:
            check_pool(one)
        async with self._metastore.transaction() as tx:
            # In the order of names, as whoever counts slots locks them: two who set the same pools cannot deadlock.
            known = await _rows(tx)
            for one in sorted(pools, key=lambda each: each.name):
                row = {
                    "name": one.name,
                    "slots": one.slots,
                    "description": one.description or None,
                    "include_deferred": one.include_deferred,
                }
                await tx.execute(upsert(tx.dialect.kind, pool, row))
                tx.tell(f"pool {one.name}", known.get(one.name), row)

    async def delete(self, name: str) -> None:
        """Remove a pool; raise NotFound, and Conflict for the default one. Tasks that name it wait until it is back."""
        if name == DEFAULT_POOL:
            raise Conflict(f"pool {name!r} cannot be deleted: tasks that name no pool are counted in it")
        async with self._metastore.transaction() as tx:
            before = (await _rows(tx)).get(name)
            if not (await tx.execute(delete(pool).where(pool.c.name == name))).rowcount:
                raise _missing(name)
            tx.tell(f"pool {name}", before, None)


def check_pool(one: Pool) -> None:
    """Raise InvalidInput for a pool that cannot be stored."""
    if one.slots < UNLIMITED:
        raise InvalidInput(f"pool {one.name!r} has {one.slots} slots; wanted 0 or more, or -1 for no limit")
    if not 1 <= len(one.name) <= LONGEST_NAME:
        raise InvalidInput(f"{one.name!r} is no pool name; wanted 1 to {LONGEST_NAME} characters")


async def _rows(tx: Transaction) -> dict[str, dict[str, Any]]:
    """Return the row of each pool, where somebody is to be told what it was."""
    if tx.actor is None:
        return {}
    return {row["name"]: dict(row) for row in (await tx.execute(select(pool))).mappings()}


def _missing(name: str) -> NotFound:
    return NotFound(f"there is no pool {name!r}; `flowd pools list` shows all")
