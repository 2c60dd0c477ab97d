"""The tables of Airflow's metastore that are read, as far as versions 2.2 to 3.x agree about them."""

from collections.abc import Iterable, Mapping

from flowd.domain.errors import InvalidInput

Tables = Mapping[str, frozenset[str]]
"""The columns of each table that is there."""

NEEDED: Mapping[str, tuple[str, ...]] = {
    "variable": ("id", "key", "val", "is_encrypted"),
    "connection": (
        "id",
        "conn_id",
        "conn_type",
        "host",
        "schema",
        "login",
        "password",
        "port",
        "is_encrypted",
        "is_extra_encrypted",
        "extra",
    ),
    "slot_pool": ("id", "pool", "slots"),
    "dag": ("dag_id", "is_paused"),
    "dag_run": ("id", "dag_id", "run_id", "state", "run_type", "start_date", "end_date"),
    "task_instance": (
        "dag_id",
        "task_id",
        "run_id",
        "state",
        "start_date",
        "end_date",
        "try_number",
        "max_tries",
        "hostname",
        "operator",
        "pool",
        "queue",
        "priority_weight",
        "queued_dttm",
    ),
}
"""What every version has that flowd can read."""

MORE = ("dag_run_note", "task_instance_note")
"""What newer versions have."""

LOGICAL_DATES = ("logical_date", "execution_date")
"""What Airflow 3 and Airflow 2 call the moment that a run is named by."""


def check(tables: Tables, wanted: Iterable[str], name: str) -> None:
    """Raise InvalidInput, saying what is missing, where one of the `wanted` tables is not as any known Airflow has it.

    `name` is the database's.
    """
    for table in wanted:
        if table not in tables:
            raise InvalidInput(
                f"{name} has no table {table!r}: wanted the metastore of Airflow 2.2 to 3.x. Is it the right database"
                " (and schema), and has `airflow db migrate` made its tables?"
            )
        missing = [column for column in NEEDED[table] if column not in tables[table]]
        if table == "dag_run" and not tables[table] & set(LOGICAL_DATES):
            missing.append(LOGICAL_DATES[0])
        if missing:
            raise InvalidInput(
                f"{name}: the table {table!r} has no column {missing[0]!r}: wanted the metastore of Airflow 2.2 to 3.x."
                " An older one is brought to them by `airflow db migrate` of a newer Airflow"
            )
