"""Pools, variables and connections: values under a name."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol, TypeVar

from flowd.actions.airflow_import.report import Fate, Part, Report, fate_of
from flowd.actions.airflow_import.wish import Wish
from flowd.db.airflow_source import stored_secrets
from flowd.db.airflow_source.source import AirflowSource
from flowd.db.airflow_source.stored_secrets import AirflowVault
from flowd.db.metastore import Metastore
from flowd.db.pools import Pool, Pools, check_pool
from flowd.db.secrets_store import (
    Connections,
    Unopened,
    Variables,
    check_connection,
    check_variable,
)
from flowd.domain.errors import InvalidInput
from flowd.security.vault import Vault

MOST_NAMED = 5
KEPT = "flowd has another value: --overwrite takes Airflow's"
UNREADABLE = "no Fernet key that was given opens it"

Value = TypeVar("Value")
OnStep = Callable[[Part, int], None]
"""Hears how many more things of a part have been looked at."""


class Store(Protocol[Value]):
    """Where values of one kind are kept."""

    async def some(self, names: Sequence[str], /) -> Sequence[Value | Unopened]:
        """Return those of these names that are there."""

    async def set(self, *values: Value) -> None:
        """Make these or change them, all or none."""


async def take_pools(source: AirflowSource, metastore: Metastore, wish: Wish, report: Report, step: OnStep) -> None:
    """Take the pools."""
    found = stored_secrets.pools(source)
    await _take(Part.POOLS, found, _Pools(metastore), lambda one: one.name, check_pool, wish, report, step)


async def take_variables(
    source: AirflowSource,
    opener: AirflowVault,
    metastore: Metastore,
    vault: Vault,
    wish: Wish,
    report: Report,
    step: OnStep,
) -> None:
    """Take the variables, encrypted anew with the first of flowd's keys."""
    found, store = stored_secrets.variables(source, opener), Variables(metastore, vault)
    await _take(Part.VARIABLES, found, store, lambda one: one.name, check_variable, wish, report, step)


async def take_connections(
    source: AirflowSource,
    opener: AirflowVault,
    metastore: Metastore,
    vault: Vault,
    wish: Wish,
    report: Report,
    step: OnStep,
) -> None:
    """Take the connections, encrypted anew with the first of flowd's keys."""
    found, store = stored_secrets.connections(source, opener), Connections(metastore, vault)
    await _take(Part.CONNECTIONS, found, store, lambda one: one.conn_id, check_connection, wish, report, step)


async def refuse_unreadable(source: AirflowSource, opener: AirflowVault, wish: Wish) -> None:
    """Raise InvalidInput, naming them, where the keys do not open all that is wished for."""
    problems: list[str] = []
    if Part.VARIABLES in wish.parts:
        async for variables in stored_secrets.variables(source, opener):
            problems += [one.problem for one in variables if isinstance(one, Unopened)]
    if Part.CONNECTIONS in wish.parts:
        async for connections in stored_secrets.connections(source, opener):
            problems += [one.problem for one in connections if isinstance(one, Unopened)]
    if problems and not wish.skip_unreadable:
        more = f"\n  … and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
        raise InvalidInput(
            "nothing was imported, for not all of it can be read:"
            + "".join(f"\n  {problem}" for problem in problems[:MOST_NAMED])
            + more
            + "\nGive Airflow's key (`fernet_key` in the section [core] of its airflow.cfg; a comma list where it was"
            " rotated) as AIRFLOW__CORE__FERNET_KEY or --fernet-key, or leave these out with --skip-unreadable"
        )


async def _take(
    part: Part,
    batches: AsyncIterator[Sequence[Value | Unopened]],
    store: Store[Value],
    name_of: Callable[[Value], str],
    check: Callable[[Value], None],
    wish: Wish,
    report: Report,
    step: OnStep,
) -> None:
    async for batch in batches:
        wanted: dict[str, Value] = {}
        for one in batch:
            if isinstance(one, Unopened):
                report.add(part, Fate.SKIPPED, one.name, UNREADABLE)
                continue
            try:
                check(one)
            except InvalidInput as error:
                report.add(part, Fate.SKIPPED, name_of(one), str(error))
            else:
                wanted[name_of(one)] = one
        there = {_name(one, name_of): one for one in await store.some(list(wanted))}
        chosen: list[Value] = []
        for name, one in wanted.items():
            fate = fate_of(there.get(name), one, overwrite=wish.overwrite)
            report.add(part, fate, name, KEPT if fate is Fate.KEPT else "")
            if fate.is_written:
                chosen.append(one)
        if chosen and not wish.is_dry_run:
            await store.set(*chosen)
        step(part, len(batch))


def _name(one: Value | Unopened, name_of: Callable[[Value], str]) -> str:
    return one.name if isinstance(one, Unopened) else name_of(one)


class _Pools:
    """flowd's pools, as a store."""

    def __init__(self, metastore: Metastore) -> None:
        self._pools = Pools(metastore)

    async def some(self, names: Sequence[str], /) -> Sequence[Pool | Unopened]:
        wanted = set(names)
        return [one for one in await self._pools.list() if one.name in wanted]

    async def set(self, *values: Pool) -> None:
        await self._pools.set(*values)
