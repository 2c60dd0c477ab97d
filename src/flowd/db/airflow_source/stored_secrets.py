"""Airflow's variables, connections and pools, decrypted with Airflow's own Fernet keys."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import ColumnElement, RowMapping, select

from flowd.db.airflow_source.source import AirflowSource
from flowd.db.airflow_source.stored_values import text_of
from flowd.db.pools import Pool
from flowd.db.secrets_store import StoredConnection, StoredVariable, Unopened
from flowd.domain.errors import InvalidInput
from flowd.security.vault import Sealed, Vault

BATCH = 100


class AirflowVault:
    """Opens what Airflow has encrypted; `keys` is its setting `fernet_key`, a comma list, empty where it has none."""

    def __init__(self, keys: str) -> None:
        wanted = [key.strip() for key in keys.split(",") if key.strip()]
        for number, key in enumerate(wanted, start=1):
            try:
                Fernet(key)
            except ValueError as error:
                raise InvalidInput(
                    f"the Fernet key of Airflow, number {number} of {len(wanted)}, is none: wanted 32 bytes in"
                    " URL-safe base64, as `fernet_key` in the section [core] of airflow.cfg has them"
                ) from error
        self._vault = Vault(wanted) if wanted else None

    def open(self, value: str, what: str) -> str:
        """Return what was encrypted; raise Sealed, naming `what` and saying what to do, where no key opens it."""
        if self._vault is None:
            raise Sealed(f"{what} is encrypted, and no Fernet key of Airflow was given")
        try:
            return self._vault.decrypt(value, what)
        except Sealed as error:
            raise Sealed(f"{what} was encrypted with another Fernet key than was given") from error


async def variables(source: AirflowSource, vault: AirflowVault) -> AsyncIterator[Sequence[StoredVariable | Unopened]]:
    """Yield Airflow's variables, some at a time; one that no key opens comes as Unopened, with the reason."""
    columns = source.columns("variable", "id", "key", "val", "description", "is_encrypted")
    async for rows in _batches(source, "variable", columns):
        yield [_variable(row, vault) for row in rows]


async def connections(
    source: AirflowSource, vault: AirflowVault
) -> AsyncIterator[Sequence[StoredConnection | Unopened]]:
    """Yield Airflow's connections, as `variables` does."""
    names = ("conn_id", "conn_type", "description", "host", "schema", "login", "password", "port", "extra")
    columns = source.columns("connection", "id", *names, "is_encrypted", "is_extra_encrypted")
    async for rows in _batches(source, "connection", columns):
        yield [_connection(row, vault) for row in rows]


async def pools(source: AirflowSource) -> AsyncIterator[Sequence[Pool]]:
    """Yield Airflow's pools, some at a time."""
    columns = source.columns("slot_pool", "id", "pool", "slots", "description", "include_deferred")
    async for rows in _batches(source, "slot_pool", columns):
        yield [
            Pool(
                name=str(row["pool"]),
                slots=int(row["slots"]),
                description=text_of(row["description"]) or "",
                include_deferred=bool(row["include_deferred"]),
            )
            for row in rows
        ]


async def _batches(
    source: AirflowSource, table_name: str, columns: Sequence[ColumnElement[Any]]
) -> AsyncIterator[Sequence[RowMapping]]:
    key = source.table(table_name).c.id
    last = -1
    while rows := await source.rows(select(*columns).where(key > last).order_by(key).limit(BATCH)):
        yield rows
        last = rows[-1]["id"]


def _variable(row: RowMapping, vault: AirflowVault) -> StoredVariable | Unopened:
    name, description = str(row["key"]), text_of(row["description"]) or ""
    value = row["val"] or ""
    try:
        opened = vault.open(value, f"variable {name!r}") if row["is_encrypted"] and value else value
    except Sealed as error:
        return Unopened(name=name, problem=str(error), description=description)
    return StoredVariable(name=name, value=opened, description=description)


def _connection(row: RowMapping, vault: AirflowVault) -> StoredConnection | Unopened:
    conn_id, password, extra = str(row["conn_id"]), row["password"] or "", row["extra"] or ""
    try:
        if row["is_encrypted"] and password:
            password = vault.open(password, f"the password of connection {conn_id!r}")
        if row["is_extra_encrypted"] and extra:
            extra = vault.open(extra, f"the extra of connection {conn_id!r}")
    except Sealed as error:
        return Unopened(name=conn_id, problem=str(error), conn_type=row["conn_type"] or "")
    return StoredConnection(
        conn_id=conn_id,
        conn_type=row["conn_type"] or "",
        description=text_of(row["description"]) or "",
        host=row["host"] or "",
        login=row["login"] or "",
        password=password,
        schema=row["schema"] or "",
        port=row["port"],
        extra=extra,
    )
