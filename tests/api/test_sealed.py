"""What no key of this node opens, over every route that could: never an unknown error, and always a way out."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from flowd.api.access import ACCESS
from flowd.db.secrets_store import Connections, StoredConnection, StoredVariable, Variables
from flowd.db.webhooks import Webhooks
from flowd.security.account_role import AccountRole
from flowd.security.vault import Vault
from flowd.security.webhook_signature import Scheme
from tests.api.browsers import browser_of
from tests.api.cluster import Cluster
from tests.api.test_dag_access import filled

ELSEWHERE = Vault([Fernet.generate_key().decode()])
NAMES = dict.fromkeys(("variable_key", "connection_id", "webhook_name"), "shut")
WHAT_TO_DO = "FLOWD__SECURITY__FERNET_KEY"
ROUTES = sorted(
    name
    for name in ACCESS
    if any(noun in name for noun in ("/variables", "/connections", "/webhooks")) and "-test" not in name
)
KEPT = {"key": "shut", "connection_id": "shut", "name": "shut", "conn_type": "http", "dag_id": "etl"}


def bulk(action: str, **given: Any) -> Any:
    entity = {"key": "shut", "value": "new"} if "value" in given else {"connection_id": "shut", **given}
    return {"actions": [{"action": action, "entities": [entity]}]}


@pytest.fixture
async def shut(cluster: Cluster) -> AsyncIterator[Cluster]:
    """A cluster whose Fernet key was changed after a variable, a connection and a webhook had been made."""
    variables, connections = Variables(cluster.metastore, ELSEWHERE), Connections(cluster.metastore, ELSEWHERE)
    await variables.set(StoredVariable(name="shut", value="CANARY", description="of old"))
    await connections.set(StoredConnection(conn_id="shut", conn_type="http", password="CANARY"))
    await Webhooks(cluster.metastore, ELSEWHERE).create("shut", "etl", Scheme.STANDARD, 60)
    await cluster.send("POST", "/api/v2/variables", {"key": "open", "value": "v"}, 201)
    await cluster.send("POST", "/api/v2/connections", {"connection_id": "open", "conn_type": "ftp"}, 201)
    yield cluster


async def asked(cluster: Cluster, name: str, body: Any = None) -> httpx.Response:
    method, path = name.split(" ")
    path = filled(path, NAMES)
    if path.startswith(("/api/", "/webhooks")):
        return await cluster.clients[AccountRole.ADMIN].request(method, path, json=body)
    browser = await browser_of(cluster, AccountRole.ADMIN)
    if method == "POST":
        return await browser.post(path, **(body or KEPT))
    return await cluster.anonymous.request(method, path, headers=browser._headers())


@pytest.mark.parametrize("name", ROUTES)
async def test_no_route_fails_in_an_unknown_way(shut: Cluster, name: str) -> None:
    for body in (None, KEPT, {**KEPT, "description": "new"}, bulk("update", value=1), bulk("update", conn_type="http")):
        answer = await asked(shut, name, body)

        assert answer.status_code < 500 or (answer.status_code == 503 and "Retry-After" in answer.headers), name
        assert "CANARY" not in answer.text
        if answer.status_code == 409 and "already exists" not in answer.text:
            assert "shut" in answer.text and WHAT_TO_DO in answer.text


@pytest.mark.parametrize("path", ["/api/v2/variables/shut", "/api/v1/variables/shut", "/api/v2/connections/shut"])
async def test_what_is_asked_for_by_name_says_what_and_what_to_do(shut: Cluster, path: str) -> None:
    answer = await shut.op.get(path)

    assert answer.status_code == 409
    detail = answer.json()["detail"]
    assert "'shut' was encrypted with a key that this node does not have" in detail and WHAT_TO_DO in detail


async def test_in_a_list_it_says_why_it_has_no_value_and_holds_up_no_other(shut: Cluster) -> None:
    variables = (await shut.send("GET", "/api/v2/variables", None))["variables"]
    connections = (await shut.send("GET", "/api/v2/connections", None))["connections"]

    (opened, closed), (other, one) = variables, connections
    assert (opened["value"], opened["problem"]) == ("v", None)
    assert (closed["value"], closed["description"]) == (None, "of old") and WHAT_TO_DO in closed["problem"]
    assert (other["conn_type"], other["problem"]) == ("ftp", None)
    assert (one["conn_type"], one["password"]) == ("http", None) and WHAT_TO_DO in one["problem"]


async def test_a_variable_is_given_another_value_and_keeps_its_description(shut: Cluster) -> None:
    for body in ({"key": "shut", "value": "***"}, {"key": "shut", "value": "x", "description": "d"}):
        query = "?update_mask=description" if body["value"] == "x" else ""
        await shut.send("PATCH", f"/api/v2/variables/shut{query}", body, 409)

    changed = await shut.send("PATCH", "/api/v2/variables/shut", {"key": "shut", "value": "new"})

    assert (changed["value"], changed["description"]) == ("new", "of old")


async def test_a_connection_is_given_anew_as_a_whole_and_not_in_part(shut: Cluster) -> None:
    path, part = "/api/v2/connections/shut", {"connection_id": "shut", "conn_type": "http", "host": "h"}
    whole = {**part, "login": "ada", "password": "p", "schema": "", "port": None, "extra": ""}
    for body in (part, {**whole, "password": "***"}, {**whole, "extra": '{"a": "***"}'}):
        await shut.send("PATCH", path, body, 409)
    await shut.send("PATCH", f"{path}?update_mask=host", whole, 409)

    changed = await shut.send("PATCH", path, whole)

    assert (changed["host"], changed["login"], changed["password"]) == ("h", "ada", "***")


async def test_a_form_that_says_all_of_a_connection_and_its_password_replaces_it(shut: Cluster) -> None:
    op = await browser_of(shut, AccountRole.OP)
    typed = {"connection_id": "shut", "conn_type": "ftp", "host": "h"}

    assert WHAT_TO_DO in await op.fail("/connections/change", 409, **typed)
    await op.do("/connections/change", **typed, password="new")

    assert (await shut.app.state.context.connections.get("shut")).password == "new"


async def test_it_can_be_removed(shut: Cluster) -> None:
    for path in ("/api/v2/variables/shut", "/api/v1/connections/shut", "/api/v2/webhooks/shut"):
        answer = await shut.clients[AccountRole.ADMIN].delete(path)

        assert answer.status_code == 204, answer.text


async def test_bulk_changes_tell_of_it_and_go_on(shut: Cluster) -> None:
    entities = [{"key": "shut", "value": "***"}, {"key": "open", "value": "w"}]

    answer = await shut.send("PATCH", "/api/v2/variables", {"actions": [{"action": "update", "entities": entities}]})

    assert answer["update"]["success"] == ["open"]
    (error,) = answer["update"]["errors"]
    assert error["status_code"] == 409 and WHAT_TO_DO in error["error"]


async def test_the_sender_of_a_delivery_is_to_come_again_and_hears_nothing_of_keys(shut: Cluster) -> None:
    answer = await shut.anonymous.post("/webhooks/shut", json={})

    assert answer.status_code == 503 and "Retry-After" in answer.headers
    assert "KEY" not in json.dumps(answer.json())


async def test_a_webhook_with_a_new_secret_works_though_no_key_opens_the_one_before(shut: Cluster) -> None:
    webhooks = Webhooks(shut.metastore, shut.app.state.context.vault)
    admin = shut.clients[AccountRole.ADMIN]
    answer = await admin.post("/api/v2/webhooks/shut/rotate", json={"overlap_seconds": 3600})
    assert answer.status_code == 200

    opened = await webhooks.opened("shut")

    assert opened is not None and list(opened.secrets) == [answer.json()["secret"]]
