"""import_airflow: everything that is wished for, part by part."""

from flowd.actions.airflow_import.pauses import take_pauses
from flowd.actions.airflow_import.report import Part, Report
from flowd.actions.airflow_import.runs import RunImporter
from flowd.actions.airflow_import.values import (
    OnStep,
    refuse_unreadable,
    take_connections,
    take_pools,
    take_variables,
)
from flowd.actions.airflow_import.wish import Wish
from flowd.db.airflow_source.source import AirflowSource
from flowd.db.airflow_source.stored_secrets import AirflowVault
from flowd.db.metastore import Metastore
from flowd.security.vault import Vault

TABLES = {
    Part.POOLS: ("slot_pool",),
    Part.VARIABLES: ("variable",),
    Part.CONNECTIONS: ("connection",),
    Part.RUNS: ("dag_run", "task_instance"),
    Part.PAUSES: ("dag",),
}


async def totals(source: AirflowSource, wish: Wish) -> dict[Part, int]:
    """Return how many rows of each part that is wished for there are to look at; raise InvalidInput as the import."""
    source.check(table for part, tables in TABLES.items() if part in wish.parts for table in tables)
    return {part: await source.count(tables[0]) for part, tables in TABLES.items() if part in wish.parts}


async def import_airflow(
    source: AirflowSource, opener: AirflowVault, metastore: Metastore, vault: Vault, wish: Wish, step: OnStep
) -> Report:
    """Take what is wished for, and return what became of it; a dry run writes nothing and returns the same.

    Each batch is one transaction: where it breaks off, what came before stays, and doing it again goes on. `opener`
    holds Airflow's keys, `vault` flowd's. Raises InvalidInput, before anything is written, for a database that is no
    known Airflow's, and for values that the keys do not open.
    """
    source.check(table for part, tables in TABLES.items() if part in wish.parts for table in tables)
    await refuse_unreadable(source, opener, wish)
    report = Report()
    if Part.POOLS in wish.parts:
        await take_pools(source, metastore, wish, report, step)
    if Part.VARIABLES in wish.parts:
        await take_variables(source, opener, metastore, vault, wish, report, step)
    if Part.CONNECTIONS in wish.parts:
        await take_connections(source, opener, metastore, vault, wish, report, step)
    if Part.RUNS in wish.parts:
        await RunImporter(source, metastore, wish, report).take(step)
    # Last: a DAG that goes on from here must find its history, and its schedule behind it.
    if Part.PAUSES in wish.parts:
        await take_pauses(source, metastore, wish, report, step)
    return report
