"""The pages of variables and connections: secrets go in, and never come out again."""

import json

import pytest

from flowd.db.secrets_store import Connections, StoredConnection, StoredVariable, Variables
from flowd.security.account_role import AccountRole
from flowd.security.vault import Vault
from tests.api.browsers import Browser, browser_of
from tests.api.cluster import Cluster

OTHER_KEY = "b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3Q="


@pytest.fixture
async def op(cluster: Cluster) -> Browser:
    return await browser_of(cluster, AccountRole.OP)


@pytest.fixture
def variables(cluster: Cluster) -> Variables:
    found: Variables = cluster.app.state.context.variables
    return found


@pytest.fixture
def connections(cluster: Cluster) -> Connections:
    found: Connections = cluster.app.state.context.connections
    return found


async def test_a_variable_is_made_changed_and_deleted(op: Browser, variables: Variables) -> None:
    assert "There are no variables yet" in await op.get("/variables")

    await op.do("/variables", key="a/b", value="one\r\n<two>", description="<d>")
    page = await op.get("/variables")
    form = await op.get("/variables/a%2Fb")
    await op.do("/variables/change", key="a/b", value="three", description="")
    after = await variables.get("a/b")
    await op.do("/variables/delete", key="a/b")

    assert 'href="/variables/a%2Fb"' in page and "&lt;two&gt;" in page and "&lt;d&gt;" in page
    assert "\none\n&lt;two&gt;</textarea>" in form
    assert after == StoredVariable(name="a/b", value="three")
    assert await variables.names() == {}


async def test_a_variable_whose_name_sounds_secret_is_never_shown_and_kept_where_nothing_is_typed(
    op: Browser, variables: Variables
) -> None:
    await op.do("/variables", key="api_token", value="CANARY", description="d")

    pages = await op.get("/variables") + await op.get("/variables/api_token")
    await op.do("/variables/change", key="api_token", value="", description="other")
    kept = await variables.get("api_token")
    await op.do("/variables/change", key="api_token", value="NEW", description="other")

    assert "CANARY" not in pages and "••••••" in pages and "kept as it is" in pages
    assert kept == StoredVariable(name="api_token", value="CANARY", description="other")
    assert (await variables.get("api_token")).value == "NEW"


async def test_a_wrong_variable_comes_back_with_what_was_typed(op: Browser, variables: Variables) -> None:
    await variables.set(StoredVariable(name="there", value="old"))

    twice = await op.fail("/variables", 409, key="there", value="<v>", description="<d>")
    nameless = await op.fail("/variables", 400, key="", value="<v>")
    spaced = await op.fail("/variables", 400, key=" x ", value="<v>")

    assert "`there` already exists" in twice and 'value="there"' in twice and 'value="&lt;d&gt;"' in twice
    assert "key: String should have at least 1 character" in nameless
    assert "no space around" in spaced
    assert all("\n&lt;v&gt;</textarea>" in page for page in (twice, nameless, spaced))
    assert (await variables.get("there")).value == "old"


async def test_a_connection_is_made_changed_and_deleted_and_its_secrets_are_never_shown(
    op: Browser, connections: Connections
) -> None:
    assert "There are no connections yet" in await op.get("/connections")
    made = {
        "connection_id": "pg",
        "conn_type": "postgres",
        "host": "<h>",
        "port": "5432",
        "schema": "sales",
        "login": "ada",
        "password": "CANARY1",
        "extra": json.dumps({"api_key": "CANARY2", "sslmode": "require"}),
        "description": "<d>",
    }

    await op.do("/connections", **made)
    pages = await op.get("/connections") + await op.get("/connections/pg")
    shown_extra = '{"api_key": "***", "sslmode": "disable"}'
    await op.do("/connections/change", **{**made, "password": "", "host": "h2", "port": "", "extra": shown_extra})
    changed = await connections.get("pg")
    await op.do("/connections/change", **{**made, "password": "", "no_password": "true"})
    bare = await connections.get("pg")
    await op.do("/connections/delete", connection_id="pg")

    assert "CANARY" not in pages and "••••••" in pages and "&lt;h&gt;" in pages
    assert (changed.host, changed.port, changed.password) == ("h2", None, "CANARY1")
    assert json.loads(changed.extra) == {"api_key": "CANARY2", "sslmode": "disable"}
    assert (bare.password, bare.port) == ("", 5432)
    assert await connections.ids() == set()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"port": "x"}, "port: Input should be a valid integer"),
        ({"port": "70000"}, "port: Input should be less than or equal to 65535"),
        ({"extra": "{"}, "extra: The `extra` field must be a valid JSON object"),
        ({"conn_type": ""}, "conn_type: String should have at least 1 character"),
    ],
)
async def test_a_wrong_connection_comes_back_with_what_was_typed_but_for_its_password(
    op: Browser, connections: Connections, fields: dict[str, str], message: str
) -> None:
    await connections.set(StoredConnection(conn_id="pg", conn_type="postgres", host="old"))
    typed = {"conn_type": "mysql", "host": "<new>", "password": "CANARY", **fields}

    made = await op.fail("/connections", 400, connection_id="other", **typed)
    changed = await op.fail("/connections/change", 400, connection_id="pg", **typed)
    twice = await op.fail("/connections", 409, connection_id="pg", conn_type="mysql", host="<new>", password="CANARY")

    for page in (made, changed):
        assert message in page and 'value="&lt;new&gt;"' in page and "CANARY" not in page
    assert "`pg` already exists" in twice and "CANARY" not in twice
    assert (await connections.get("pg")).host == "old"


async def test_what_this_node_has_no_key_for_is_told_and_hides_nothing_else(cluster: Cluster, op: Browser) -> None:
    elsewhere = Vault([OTHER_KEY])
    await Variables(cluster.metastore, elsewhere).set(StoredVariable(name="sealed_one", value="v"))
    await Connections(cluster.metastore, elsewhere).set(StoredConnection(conn_id="sealed_two", conn_type="ftp"))
    await op.do("/variables", key="plain", value="open")

    page = await op.get("/variables")

    assert "✗ sealed" in page and "<code>open</code>" in page
    assert "✗ sealed" in await op.get("/connections")
    for path, field, name in (("/variables", "key", "sealed_one"), ("/connections", "connection_id", "sealed_two")):
        assert "a key that this node does not have" in await op.get(f"{path}/{name}")
        await op.do(f"{path}/delete", **{field: name})


async def test_lists_are_searched(op: Browser) -> None:
    await op.do("/variables", key="one", value="1")

    assert "<b>one</b>" in await op.get("/variables", q="on")
    assert "No variable has <code>&lt;i&gt;</code> in its key" in await op.get("/variables", q="<i>")
    assert "No connection has <code>&lt;i&gt;</code> in its id" in await op.get("/connections", q="<i>")


async def test_whoever_is_no_op_gets_nowhere(cluster: Cluster, op: Browser) -> None:
    await op.do("/variables", key="one", value="1")
    user = await browser_of(cluster, AccountRole.USER)

    assert "/variables" not in await user.get("/dags")
    for path in ("/variables", "/variables/one", "/connections", "/connections/one"):
        await user.get(path, 403)
    for path in ("/variables", "/variables/change", "/connections", "/connections/change"):
        await user.fail(path, 403, key="one", connection_id="one", value="2")
    for path in ("/variables/delete", "/connections/delete"):
        await user.fail(path, 403, key="one", connection_id="one")
        await op.fail(path, 404, key="nope", connection_id="nope")
        await op.fail(path, 400)
