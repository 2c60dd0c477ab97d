"""Variables and connections, encrypted at rest."""

import pytest
from cryptography.fernet import Fernet

from flowd.db.connection_uri import parse_uri, to_uri
from flowd.db.metastore import Metastore
from flowd.db.secrets_store import Connections, StoredConnection, StoredVariable, Variables
from flowd.domain.errors import InvalidInput, NotFound
from flowd.security.vault import Sealed, Vault

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def connection(conn_id: str = "warehouse", **changed: object) -> StoredConnection:
    given = {"conn_type": "postgres", "host": "db", "login": "ada", "password": "hunter2", "port": 5432, **changed}
    return StoredConnection(conn_id=conn_id, **given)  # type: ignore[arg-type]


async def test_what_is_set_is_read_back_and_set_again(metastore: Metastore) -> None:
    variables = Variables(metastore, Vault([OLD]))

    await variables.set(StoredVariable(name="b", value="1"), StoredVariable(name="a", value="ä\n", description="why"))
    await variables.set(StoredVariable(name="b", value="2"))

    assert [(one.name, one.value, one.description) for one in await variables.list()] == [
        ("a", "ä\n", "why"),
        ("b", "2", ""),
    ]
    assert await variables.names() == {"a": "why", "b": ""}
    assert (await variables.get("b")).value == "2"


async def test_a_connection_is_read_back_with_all_its_parts(metastore: Metastore) -> None:
    connections = Connections(metastore, Vault([OLD]))
    whole = connection(schema="s", extra='{"a": 1}', description="d")

    await connections.set(whole, connection("empty", host="", login="", password="", port=None))

    assert await connections.get("warehouse") == whole
    assert [one.conn_id for one in await connections.list()] == ["empty", "warehouse"]


async def test_the_metastore_holds_neither_values_nor_passwords(metastore: Metastore) -> None:
    await Variables(metastore, Vault([OLD])).set(StoredVariable(name="a", value="hunter1"))
    await Connections(metastore, Vault([OLD])).set(connection())

    async with metastore.reading() as tx:
        stored = str((await tx.execute("SELECT value FROM variable")).all())
        stored += str((await tx.execute("SELECT * FROM connection")).all())
    assert "hunter" not in stored and "ada" not in stored


async def test_keys_are_rotated_without_a_gap(metastore: Metastore) -> None:
    await Variables(metastore, Vault([OLD])).set(StoredVariable(name="a", value="1"))
    await Connections(metastore, Vault([OLD])).set(connection())
    both = Vault([NEW, OLD])

    assert (await Variables(metastore, both).get("a")).value == "1"
    assert await Variables(metastore, both).rotate() == 1
    assert await Connections(metastore, both).rotate() == 1

    assert (await Variables(metastore, Vault([NEW])).get("a")).value == "1"
    assert (await Connections(metastore, Vault([NEW])).get("warehouse")).password == "hunter2"


async def test_what_no_key_opens_is_named_and_can_be_set_anew(metastore: Metastore) -> None:
    await Variables(metastore, Vault([OLD])).set(StoredVariable(name="a", value="1"))
    await Connections(metastore, Vault([OLD])).set(connection())
    variables, connections = Variables(metastore, Vault([NEW])), Connections(metastore, Vault([NEW]))

    for action in (variables.get("a"), variables.list(), variables.rotate()):
        with pytest.raises(Sealed, match="variable 'a' was encrypted with a key that this node does not have"):
            await action
    for other in (connections.get("warehouse"), connections.rotate()):
        with pytest.raises(Sealed, match="connection 'warehouse' was encrypted with a key"):
            await other
    await variables.set(StoredVariable(name="a", value="2"))
    assert (await variables.get("a")).value == "2"


async def test_what_does_not_exist_is_named(metastore: Metastore) -> None:
    variables, connections = Variables(metastore, Vault([OLD])), Connections(metastore, Vault([OLD]))

    for action in (variables.get("x"), variables.delete("x")):
        with pytest.raises(NotFound, match="there is no variable 'x'"):
            await action
    for other in (connections.get("x"), connections.delete("x")):
        with pytest.raises(NotFound, match="there is no connection 'x'"):
            await other


async def test_what_is_deleted_is_gone(metastore: Metastore) -> None:
    variables, connections = Variables(metastore, Vault([OLD])), Connections(metastore, Vault([OLD]))
    await variables.set(StoredVariable(name="a", value="1"))
    await connections.set(connection())

    await variables.delete("a")
    await connections.delete("warehouse")

    assert await variables.list() == [] and await connections.list() == []


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (connection(""), "is no name of a connection"),
        (connection(conn_type=""), "has no type"),
        (connection(port=70_000), "has port 70000"),
        (connection(extra="{"), "has an extra that is no JSON"),
    ],
)
async def test_of_many_connections_one_bad_one_stops_all(
    metastore: Metastore, bad: StoredConnection, message: str
) -> None:
    connections = Connections(metastore, Vault([OLD]))

    with pytest.raises(InvalidInput, match=message):
        await connections.set(connection("good"), bad)

    assert await connections.list() == []


async def test_a_bad_name_of_a_variable_is_refused(metastore: Metastore) -> None:
    for name in ("", " a", "a" * 251):
        with pytest.raises(InvalidInput, match="is no name of a variable"):
            await Variables(metastore, Vault([OLD])).set(StoredVariable(name=name, value="1"))


@pytest.mark.parametrize(
    "uri",
    [
        "postgres://ada:p%40ss%2F@db:5432/main?sslmode=require",
        "http://example.org/",
        "google-cloud-platform:///?__extra__=%7B%22a%22%3A+1%7D",
        "generic://:secret@/",
    ],
)
def test_a_uri_is_read_and_written_as_airflow_does(uri: str) -> None:
    parsed = parse_uri("c", uri)

    assert to_uri(parsed) == uri
    assert parse_uri("c", to_uri(parsed)) == parsed


def test_the_parts_of_a_uri_are_decoded() -> None:
    parsed = parse_uri("c", "google-cloud://a%3Ab:p%40ss@h:1/s%2Ft?k=v")

    assert (parsed.conn_type, parsed.login, parsed.password) == ("google_cloud", "a:b", "p@ss")
    assert (parsed.host, parsed.port, parsed.schema, parsed.extra) == ("h", 1, "s/t", '{"k": "v"}')


@pytest.mark.parametrize("uri", ["no uri, hunter2", "http://hunter2:x@h:port/"])
def test_a_text_that_is_no_uri_is_refused_without_being_shown(uri: str) -> None:
    with pytest.raises(InvalidInput, match="the URI of connection 'c'") as raised:
        parse_uri("c", uri)

    assert "hunter2" not in str(raised.value)
