"""Testing connections: refused unless the settings allow it, and then never a way to send secrets elsewhere."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowd.db.metastore import Metastore
from flowd.db.secrets_store import Connections, StoredConnection
from flowd.security.account_role import AccountRole
from flowd.security.vault import Vault
from tests.api.browsers import Browser, browser_of
from tests.api.cluster import Cluster, a_cluster
from tests.support.http_service import HttpService, an_http_service

TEST = "/api/v2/connections/test"
BUTTON = 'formaction="/connections/test"'
OTHER_KEY = "B" * 43 + "="


@pytest.fixture
async def testing(sqlite_metastore: Metastore, tmp_path: Path) -> AsyncIterator[Cluster]:
    """A cluster whose Ops may test connections."""
    async with a_cluster(sqlite_metastore, tmp_path, given={"FLOWD__API__TEST_CONNECTIONS": "true"}) as made:
        yield made


@pytest.fixture
def service() -> Iterator[HttpService]:
    with an_http_service() as found:
        yield found


@pytest.fixture
async def stored(testing: Cluster, service: HttpService) -> StoredConnection:
    """The connection `api`, to the service, with a password and a key in its extra."""
    one = StoredConnection(
        conn_id="api",
        conn_type="http",
        host="127.0.0.1",
        port=service.port,
        login="me",
        password="CANARY1",
        extra='{"api_key":"CANARY2"}',
    )
    await testing.app.state.context.connections.set(one)
    return one


@pytest.fixture
async def op(testing: Cluster) -> Browser:
    return await browser_of(testing, AccountRole.OP)


def body(service: HttpService, **fields: Any) -> dict[str, Any]:
    return {"connection_id": "api", "conn_type": "http", "host": "127.0.0.1", "port": service.port, **fields}


async def test_it_is_refused_unless_the_settings_allow_it(cluster: Cluster, service: HttpService) -> None:
    for given in ({}, body(service)):
        refused = await cluster.send("POST", TEST, given, 403)
        assert "FLOWD__API__TEST_CONNECTIONS=true" in refused["detail"]
    op = await browser_of(cluster, AccountRole.OP)
    await op.do("/connections", connection_id="api", conn_type="http")

    assert BUTTON not in await op.get("/connections") + await op.get("/connections/api")
    await op.fail("/connections/test", 403, connection_id="api", conn_type="http")
    assert service.asked == []


async def test_what_a_body_describes_is_tested_and_not_stored(testing: Cluster, service: HttpService) -> None:
    answer = await testing.send("POST", TEST, body(service))
    service.answer = lambda _: (500, "CANARY")
    failed = await testing.send("POST", TEST, body(service))

    assert answer == {"status": True, "message": "GET was answered 200 OK"}
    assert failed == {"status": False, "message": "GET was answered 500 Internal Server Error"}
    assert await testing.app.state.context.connections.ids() == set()
    assert (await testing.user.post(TEST, json=body(service))).status_code == 403


async def test_what_is_stored_is_tested_with_its_secrets_and_by_whom_is_in_the_audit_log(
    testing: Cluster, service: HttpService, stored: StoredConnection
) -> None:
    shown = (await testing.op.get("/api/v2/connections/api")).json()

    for given in ({"connection_id": "api", "conn_type": "http"}, {**shown, "description": "other words"}):
        assert (await testing.send("POST", TEST, given))["status"] is True

    assert [asked.headers["api_key"] for asked in service.asked] == ["CANARY2", "CANARY2"]
    assert all(asked.headers["authorization"].startswith("Basic ") for asked in service.asked)
    events = (await testing.op.get("/api/v2/eventLogs", params={"event": "test_connection"})).json()["event_logs"]
    assert [event["owner"] for event in events] == ["op", "op"]
    assert '"test of connection api"' in events[0]["extra"] and "CANARY" not in str(events)


@pytest.mark.parametrize(
    "change",
    [
        {"host": "localhost"},
        {"port": 1},
        {"conn_type": "https"},
        {"schema": "https"},
        {"login": "other"},
        {"extra": '{"api_key": "***", "proxies": {"all": "http://127.0.0.1:1"}}'},
        {"host": "localhost", "password": "mine"},
        {"host": "localhost", "extra": "{}"},
    ],
)
async def test_a_stored_secret_goes_nowhere_but_where_the_stored_connection_leads(
    testing: Cluster, service: HttpService, stored: StoredConnection, change: dict[str, Any]
) -> None:
    shown = (await testing.op.get("/api/v2/connections/api")).json()

    for given in (shown | change, {"connection_id": "api", "conn_type": "http"} | change):
        refused = await testing.send("POST", TEST, given, 400)
        assert "is sent only where the stored connection leads" in refused["detail"]

    assert service.asked == []
    own = {"host": "localhost", "password": "mine", "extra": "{}"}
    assert (await testing.send("POST", TEST, shown | own))["status"] is True


async def test_one_that_this_node_has_no_key_for_is_tested_only_with_all_of_it(
    testing: Cluster, service: HttpService
) -> None:
    sealed = StoredConnection(conn_id="api", conn_type="http")
    await Connections(testing.metastore, Vault([OTHER_KEY])).set(sealed)
    whole = body(service, login="", schema="", password="", extra="")

    await testing.send("POST", TEST, body(service), 409)

    assert (await testing.send("POST", TEST, whole))["status"] is True


async def test_the_page_of_a_connection_tests_what_is_typed(
    op: Browser, service: HttpService, stored: StoredConnection
) -> None:
    typed = {
        "connection_id": "api",
        "conn_type": "http",
        "host": "127.0.0.1",
        "port": str(service.port),
        "login": "me",
        "password": "",
        "extra": '{"api_key": "***"}',
        "is_stored": "true",
    }
    assert BUTTON in await op.get("/connections/api")

    well = (await op.post("/connections/test", **typed)).text
    elsewhere = await op.fail("/connections/test", 400, **{**typed, "host": "<localhost>"})
    service.answer = lambda _: (404, "")
    badly = (await op.post("/connections/test", **{**typed, "description": "<d>"})).text

    assert "✓ it answers" in well and "GET was answered 200 OK" in well
    assert "leads: save what you have changed first" in elsewhere and 'value="&lt;localhost&gt;"' in elsewhere
    assert "✗ it does not answer as wanted" in badly and 'value="&lt;d&gt;"' in badly
    assert "CANARY" not in well + elsewhere + badly


async def test_the_form_of_a_new_connection_tests_what_is_typed(op: Browser, service: HttpService) -> None:
    typed = {"conn_type": "http", "host": "127.0.0.1", "port": str(service.port), "password": "CANARY"}
    assert BUTTON in await op.get("/connections")

    page = (await op.post("/connections/test", connection_id="new", is_stored="false", **typed)).text

    assert "✓ it answers" in page and 'value="new"' in page and "CANARY" not in page
    assert "There are no connections yet" in page
    assert "port: Input should be" in await op.fail(
        "/connections/test", 400, connection_id="new", **{**typed, "port": "x"}
    )
    await op.fail("/connections/test", 400, **typed)
