"""Variables and connections over the API: kept sealed, and passwords never shown."""

import json
from typing import Any

import pytest

from tests.api.cluster import Cluster

VARIABLES, CONNECTIONS = "/api/v2/variables", "/api/v2/connections"
WAREHOUSE = {
    "connection_id": "warehouse",
    "conn_type": "postgres",
    "host": "db",
    "login": "ada",
    "password": "hush-hush",
    "port": 5432,
    "schema": "sales",
    "extra": '{"sslmode": "require", "nested": {"api_token": "hush-too"}}',
}

NOTHING = {"team_name": None, "problem": None}


async def ask(cluster: Cluster, path: str, **params: Any) -> Any:
    answer = await cluster.op.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_variable_is_made_changed_and_removed(either: Cluster) -> None:
    made = await either.send("POST", VARIABLES, {"key": "a/b", "value": "1", "description": "first"}, 201)
    changed = await either.send("PATCH", f"{VARIABLES}/a/b", {"key": "a/b", "value": {"x": [1]}})

    assert made == {"key": "a/b", "value": "1", "description": "first", "is_encrypted": True} | NOTHING
    assert (json.loads(changed["value"]), changed["description"]) == ({"x": [1]}, "first")
    assert (await ask(either, VARIABLES, variable_key_pattern="A/"))["variables"] == [changed]
    await either.send("DELETE", f"{VARIABLES}/a/b", None, 204)
    assert (await ask(either, VARIABLES))["total_entries"] == 0


async def test_a_connections_secrets_are_hidden_and_survive_a_change_that_sends_stars_back(either: Cluster) -> None:
    made = await either.send("POST", CONNECTIONS, WAREHOUSE, 201)
    changed = await either.send("PATCH", f"{CONNECTIONS}/warehouse", made | {"host": "db2"})
    stored = await either.app.state.context.connections.get("warehouse")

    assert (made["password"], made["schema"]) == ("***", "sales")
    assert json.loads(made["extra"]) == {"sslmode": "require", "nested": {"api_token": "***"}}
    assert "hush" not in json.dumps([made, changed, await ask(either, CONNECTIONS)])
    assert (stored.host, stored.password) == ("db2", "hush-hush")
    assert json.loads(stored.extra) == {"sslmode": "require", "nested": {"api_token": "hush-too"}}


async def test_a_connection_is_listed_and_removed(either: Cluster) -> None:
    await either.send("POST", CONNECTIONS, WAREHOUSE, 201)

    listed = await ask(either, CONNECTIONS, connection_id_pattern="WARE")
    await either.send("DELETE", f"{CONNECTIONS}/warehouse", None, 204)

    assert [one["connection_id"] for one in listed["connections"]] == ["warehouse"]
    assert (await ask(either, CONNECTIONS))["connections"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", VARIABLES, {"key": "", "value": "x"}, 422),
        ("POST", VARIABLES, {"key": "x"}, 422),
        ("POST", VARIABLES, {"key": "here", "value": "x"}, 409),
        ("PATCH", f"{VARIABLES}/here", {"key": "other", "value": "x"}, 400),
        ("PATCH", f"{VARIABLES}/nope", {"key": "nope", "value": "x"}, 404),
        ("DELETE", f"{VARIABLES}/nope", None, 404),
        ("POST", CONNECTIONS, {"connection_id": "a b", "conn_type": "http"}, 422),
        ("POST", CONNECTIONS, {"connection_id": "a", "conn_type": "http", "port": 70000}, 422),
        ("POST", CONNECTIONS, {"connection_id": "a", "conn_type": "http", "extra": "[1]"}, 422),
        ("POST", CONNECTIONS, {"connection_id": "here", "conn_type": "http"}, 409),
        ("PATCH", f"{CONNECTIONS}/here", {"connection_id": "b", "conn_type": "http"}, 400),
        ("PATCH", f"{CONNECTIONS}/nope", {"connection_id": "nope", "conn_type": "http"}, 404),
        ("DELETE", f"{CONNECTIONS}/nope", None, 404),
    ],
)
async def test_what_is_not_as_wanted_is_refused(
    cluster: Cluster, method: str, path: str, body: Any, status: int
) -> None:
    await cluster.send("POST", VARIABLES, {"key": "here", "value": "x"}, 201)
    await cluster.send("POST", CONNECTIONS, {"connection_id": "here", "conn_type": "http"}, 201)

    answer = await cluster.send(method, path, body, status)

    assert answer["detail"]


async def test_the_value_of_a_variable_whose_name_sounds_secret_is_hidden_and_survives_its_stars(
    cluster: Cluster,
) -> None:
    made = await cluster.send("POST", VARIABLES, {"key": "db_password", "value": "hunter2"}, 201)
    sent_back = {"key": made["key"], "value": made["value"], "description": "of the warehouse"}
    changed = await cluster.send("PATCH", f"{VARIABLES}/db_password", sent_back)
    stored = await cluster.app.state.context.variables.get("db_password")

    assert (made["value"], changed["value"]) == ("***", "***")
    assert "hunter2" not in json.dumps(await ask(cluster, VARIABLES))
    assert (stored.value, stored.description) == ("hunter2", "of the warehouse")
