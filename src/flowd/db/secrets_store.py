"""Variables and connections: what tasks look up by name, encrypted at rest."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Table, delete, select, update

from flowd.db.metastore import Metastore
from flowd.db.tables import connection, variable
from flowd.db.transaction import Transaction
from flowd.db.upsert import upsert
from flowd.domain.errors import InvalidInput, NotFound
from flowd.security.vault import Sealed, Vault

LONGEST_NAME = 250
_SEALED = ("value", "document")
"""What of a row is a secret: the audit log is told the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVariable:
    """A variable, in clear."""

    name: str
    value: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConnection:
    """A connection, in clear; `extra` is a JSON text, empty for none."""

    conn_id: str
    conn_type: str
    description: str = ""
    host: str = ""
    login: str = ""
    password: str = ""
    schema: str = ""
    port: int | None = None
    extra: str = ""

    def leads_where(self, other: "StoredConnection") -> bool:
        """Return whether a secret of the other one goes to the same place by the same way: all but words is equal."""
        return replace(self, description="", extra="") == replace(other, description="", extra="") and (
            json.loads(self.extra or "{}") == json.loads(other.extra or "{}")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unopened:
    """What can be told of a variable or connection that no key of this node opens, and why the rest cannot."""

    name: str
    problem: str
    conn_type: str = ""
    description: str = ""


class Variables:
    """The variables in the metastore. Every method is one transaction."""

    def __init__(self, metastore: Metastore, vault: Vault) -> None:
        self._metastore = metastore
        self._vault = vault

    async def names(self) -> dict[str, str]:
        """Return the description of each variable, by name; nothing is decrypted."""
        async with self._metastore.reading() as tx:
            rows = await tx.execute(select(variable.c.name, variable.c.description).order_by(variable.c.name))
            return {row.name: row.description or "" for row in rows}

    async def list(self) -> list[StoredVariable]:
        """Return every variable in clear, by name; raise Sealed where one cannot be decrypted."""
        async with self._metastore.reading() as tx:
            rows = (await tx.execute(select(variable).order_by(variable.c.name))).mappings().all()
        return [self._opened(row) for row in rows]

    async def some(self, names: Sequence[str]) -> Sequence[StoredVariable | Unopened]:
        """Return those of these names that are there, in this order; one that no key opens holds up no other."""
        async with self._metastore.reading() as tx:
            rows = (await tx.execute(select(variable).where(variable.c.name.in_(names)))).mappings()
            by_name = {row["name"]: row for row in rows}
        return [self._as_far_as_can_be(by_name[name]) for name in names if name in by_name]

    async def get(self, name: str) -> StoredVariable:
        """Return one variable in clear; raise NotFound, or Sealed where it cannot be decrypted."""
        async with self._metastore.reading() as tx:
            row = (await tx.execute(select(variable).where(variable.c.name == name))).mappings().one_or_none()
        if row is None:
            raise NotFound(f"there is no variable {name!r}; `flowd variables list` shows all")
        return self._opened(row)

    async def set(self, *variables: StoredVariable) -> None:
        """Make these variables or change them, all or none."""
        for one in variables:
            check_variable(one)
        async with self._metastore.transaction() as tx:
            for one in sorted(variables, key=lambda each: each.name):
                row = {
                    "name": one.name,
                    "value": self._vault.encrypt(one.value),
                    "description": one.description or None,
                }
                before = await _public(tx, variable, variable.c.name, one.name)
                await tx.execute(upsert(tx.dialect.kind, variable, row))
                tx.tell(f"variable {one.name}", before, _open(row))

    async def delete(self, name: str) -> None:
        """Remove a variable; raise NotFound."""
        async with self._metastore.transaction() as tx:
            before = await _public(tx, variable, variable.c.name, name)
            if not (await tx.execute(delete(variable).where(variable.c.name == name))).rowcount:
                raise NotFound(f"there is no variable {name!r}; `flowd variables list` shows all")
            tx.tell(f"variable {name}", before, None)

    async def rotate(self) -> int:
        """Encrypt every variable with the first key, all or none; return how many there are."""
        async with self._metastore.transaction() as tx:
            rows = (await tx.execute(select(variable.c.name, variable.c.value))).all()
            for row in rows:
                sealed = self._vault.rotate(row.value, f"variable {row.name!r}")
                # Only what was read: a value set meanwhile is under the first key already.
                is_it = (variable.c.name == row.name) & (variable.c.value == row.value)
                await tx.execute(update(variable).where(is_it).values(value=sealed))
            return len(rows)

    def _opened(self, row: RowMapping) -> StoredVariable:
        value = self._vault.decrypt(row["value"], f"variable {row['name']!r}")
        return StoredVariable(name=row["name"], value=value, description=row["description"] or "")

    def _as_far_as_can_be(self, row: RowMapping) -> StoredVariable | Unopened:
        try:
            return self._opened(row)
        except Sealed as error:
            return Unopened(name=row["name"], problem=str(error), description=row["description"] or "")


class Connections:
    """The connections in the metastore: all but the id and the type is encrypted. Every method is one transaction."""

    def __init__(self, metastore: Metastore, vault: Vault) -> None:
        self._metastore = metastore
        self._vault = vault

    async def list(self) -> list[StoredConnection]:
        """Return every connection in clear, by id; raise Sealed where one cannot be decrypted."""
        async with self._metastore.reading() as tx:
            rows = (await tx.execute(select(connection).order_by(connection.c.conn_id))).mappings().all()
        return [self._opened(row) for row in rows]

    async def ids(self) -> set[str]:
        """Return the id of every connection; nothing is decrypted."""
        async with self._metastore.reading() as tx:
            return set((await tx.execute(select(connection.c.conn_id))).scalars())

    async def some(self, conn_ids: Sequence[str]) -> Sequence[StoredConnection | Unopened]:
        """Return those of these ids that are there, in this order; one that no key opens holds up no other."""
        async with self._metastore.reading() as tx:
            rows = (await tx.execute(select(connection).where(connection.c.conn_id.in_(conn_ids)))).mappings()
            by_id = {row["conn_id"]: row for row in rows}
        return [self._as_far_as_can_be(by_id[conn_id]) for conn_id in conn_ids if conn_id in by_id]

    async def get(self, conn_id: str) -> StoredConnection:
        """Return one connection in clear; raise NotFound, or Sealed where it cannot be decrypted."""
        async with self._metastore.reading() as tx:
            statement = select(connection).where(connection.c.conn_id == conn_id)
            row = (await tx.execute(statement)).mappings().one_or_none()
        if row is None:
            raise NotFound(f"there is no connection {conn_id!r}; `flowd connections list` shows all")
        return self._opened(row)

    async def set(self, *connections: StoredConnection) -> None:
        """Make these connections or change them, all or none; raise InvalidInput for a bad one."""
        for one in connections:
            check_connection(one)
        async with self._metastore.transaction() as tx:
            for one in sorted(connections, key=lambda each: each.conn_id):
                document = {key: value for key, value in asdict(one).items() if key not in ("conn_id", "conn_type")}
                row = {
                    "conn_id": one.conn_id,
                    "conn_type": one.conn_type,
                    "document": self._vault.encrypt(json.dumps(document)),
                }
                before = await _public(tx, connection, connection.c.conn_id, one.conn_id)
                await tx.execute(upsert(tx.dialect.kind, connection, row))
                tx.tell(f"connection {one.conn_id}", before, _open(row))

    async def delete(self, conn_id: str) -> None:
        """Remove a connection; raise NotFound."""
        async with self._metastore.transaction() as tx:
            before = await _public(tx, connection, connection.c.conn_id, conn_id)
            if not (await tx.execute(delete(connection).where(connection.c.conn_id == conn_id))).rowcount:
                raise NotFound(f"there is no connection {conn_id!r}; `flowd connections list` shows all")
            tx.tell(f"connection {conn_id}", before, None)

    async def rotate(self) -> int:
        """Encrypt every connection with the first key, all or none; return how many there are."""
        async with self._metastore.transaction() as tx:
            rows = (await tx.execute(select(connection.c.conn_id, connection.c.document))).all()
            for row in rows:
                sealed = self._vault.rotate(row.document, f"connection {row.conn_id!r}")
                is_it = (connection.c.conn_id == row.conn_id) & (connection.c.document == row.document)
                await tx.execute(update(connection).where(is_it).values(document=sealed))
            return len(rows)

    def _opened(self, row: RowMapping) -> StoredConnection:
        document = json.loads(self._vault.decrypt(row["document"], f"connection {row['conn_id']!r}"))
        return replace(StoredConnection(conn_id=row["conn_id"], conn_type=row["conn_type"]), **document)

    def _as_far_as_can_be(self, row: RowMapping) -> StoredConnection | Unopened:
        try:
            return self._opened(row)
        except Sealed as error:
            return Unopened(name=row["conn_id"], problem=str(error), conn_type=row["conn_type"])


async def _public(tx: Transaction, table: Table, column: ColumnElement[Any], name: str) -> dict[str, Any] | None:
    """Return what may be told of a row, None where there is none or nobody is to be told."""
    if tx.actor is None:
        return None
    row = (await tx.execute(select(table).where(column == name))).mappings().one_or_none()
    return None if row is None else _open(dict(row))


def _open(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _SEALED}


def _check_name(name: str, what: str) -> None:
    if name != name.strip() or not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidInput(f"{name!r} is no name of a {what}; wanted 1 to {LONGEST_NAME} characters, no space around")


def check_variable(one: StoredVariable) -> None:
    """Raise InvalidInput for a variable that cannot be stored."""
    _check_name(one.name, "variable")


def check_connection(one: StoredConnection) -> None:
    """Raise InvalidInput for a connection that cannot be stored."""
    _check_name(one.conn_id, "connection")
    if not one.conn_type:
        raise InvalidInput(f"connection {one.conn_id!r} has no type; wanted one, as postgres, http or generic")
    if one.port is not None and not 0 <= one.port <= 65535:
        raise InvalidInput(f"connection {one.conn_id!r} has port {one.port}; wanted 0 to 65535")
    if one.extra:
        try:
            json.loads(one.extra)
        except ValueError as error:
            raise InvalidInput(f"connection {one.conn_id!r} has an extra that is no JSON ({error})") from error
