"""Who may do what: every route is in the table, and its guard reads it."""

from datetime import timedelta

import pytest
from fastapi.routing import APIRoute

from flowd.api.access import ACCESS, ADMIN, PUBLIC, required_role
from flowd.api.airflow2.route import Version1Route
from flowd.api.dashboard.guard import PageRoute
from flowd.api.guard import ApiRoute
from flowd.db.accounts import Accounts
from flowd.db.api_tokens import ApiTokens
from flowd.security.account_role import AccountRole
from tests.api.cluster import Cluster

OPEN = {"/openapi.json", "/static"}
ENDLESS = "GET /ui/events"
"""Answers for as long as somebody listens: it has tests of its own."""


def routes(cluster: Cluster) -> dict[str, APIRoute]:
    """Every route of the app with a role, as in the table."""
    return {
        f"{method} {route.path}": route
        for route in cluster.app.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }


async def test_every_route_is_in_the_table_and_the_table_names_no_other(cluster: Cluster) -> None:
    assert routes(cluster).keys() == ACCESS.keys()


async def test_every_route_has_a_guard_or_is_known_to_need_none(cluster: Cluster) -> None:
    unguarded = [route for route in cluster.app.routes if not isinstance(route, ApiRoute | PageRoute)]

    assert {route.path for route in unguarded} == OPEN  # type: ignore[attr-defined]


def test_a_route_that_nobody_listed_is_the_admins_alone() -> None:
    assert required_role("GET", "/api/v2/new") is ADMIN


async def test_whoever_is_not_logged_in_gets_nowhere_but_to_public_routes(cluster: Cluster) -> None:
    for name, route in routes(cluster).items():
        method, path = name.split(" ")
        answer = await cluster.anonymous.request(method, path)
        if ACCESS[name] is PUBLIC:
            assert answer.status_code != 403 and "Not authenticated" not in answer.text, name
        elif isinstance(route, PageRoute):
            assert answer.status_code == 303 and answer.headers["Location"].startswith("/login"), name
        else:
            assert answer.status_code == 401 and answer.json()["detail"] == "Not authenticated", name
            wanted = 'Basic realm="flowd"' if isinstance(route, Version1Route) else "Bearer"
            assert answer.headers["WWW-Authenticate"] == wanted


async def test_every_api_route_refuses_the_role_below_the_one_it_asks_for(cluster: Cluster) -> None:
    roles = list(AccountRole)
    for name, route in routes(cluster).items():
        needed = ACCESS[name]
        if needed is PUBLIC or needed is AccountRole.VIEWER or not isinstance(route, ApiRoute):
            continue
        method, path = name.split(" ")
        below = roles[roles.index(needed) - 1]

        answer = await cluster.clients[below].request(method, path, json={})

        assert answer.status_code == 403, name
        assert answer.json()["detail"] == f"Forbidden: '{below.lower()}' is {below}, and this asks for {needed}"


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "é"])
async def test_a_bad_token_is_forbidden(cluster: Cluster, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode()}

    answer = await cluster.anonymous.get("/api/v2/dags", headers=headers)  # type: ignore[arg-type]

    assert answer.status_code == 403
    assert "log in again" in answer.json()["detail"]


async def test_a_token_of_a_user_who_was_removed_is_forbidden_at_once(cluster: Cluster) -> None:
    assert (await cluster.viewer.get("/api/v2/dags")).status_code == 200

    await Accounts(cluster.metastore).delete("viewer")

    answer = await cluster.viewer.get("/api/v2/dags")
    assert (answer.status_code, answer.json()["detail"]) == (403, "the user 'viewer' is no more")


async def test_a_user_whose_role_was_taken_away_has_it_no_more_whatever_the_token_says(cluster: Cluster) -> None:
    await Accounts(cluster.metastore).set_role("op", AccountRole.VIEWER)

    answer = await cluster.op.post("/api/v2/pools", json={"name": "p", "slots": 1})

    assert answer.status_code == 403


async def test_an_api_token_is_let_in_with_the_role_that_it_was_made_for(cluster: Cluster) -> None:
    secret, _ = await ApiTokens(cluster.metastore).create("op", "ci", timedelta(days=1), AccountRole.VIEWER)
    headers = {"Authorization": f"Bearer {secret}"}

    read = await cluster.anonymous.get("/api/v2/dags", headers=headers)
    write = await cluster.anonymous.post("/api/v2/pools", json={"name": "p", "slots": 1}, headers=headers)
    wrong = await cluster.anonymous.get("/api/v2/dags", headers={"Authorization": f"Bearer {secret[:-1]}"})

    assert (read.status_code, write.status_code, wrong.status_code) == (200, 403, 403)
    assert wrong.json()["detail"] == "the API token is none of this cluster's, or was revoked"


async def test_the_guard_comes_before_the_body_is_read(cluster: Cluster) -> None:
    answer = await cluster.anonymous.post("/api/v2/dags/etl/dagRuns", content=b"{not json")

    assert answer.status_code == 401
