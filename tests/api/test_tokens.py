"""Logging in for a token."""

import pytest

from flowd.api.login import MOST_FAILURES, WINDOW_SECONDS
from flowd.db.accounts import Accounts
from flowd.security.account_role import AccountRole
from tests.api.cluster import PASSWORD, Cluster


async def make_ada(cluster: Cluster) -> None:
    await Accounts(cluster.metastore).create("ada", AccountRole.USER, PASSWORD)


@pytest.mark.parametrize("form", ["json", "data"])
async def test_a_user_name_and_a_password_give_a_token_that_is_let_in(cluster: Cluster, form: str) -> None:
    await make_ada(cluster)

    credentials = {"username": "ada", "password": PASSWORD}
    answer = await cluster.anonymous.request("POST", "/auth/token", **{form: credentials})  # type: ignore[arg-type]

    assert answer.status_code == 201
    token = answer.json()["access_token"]
    listed = await cluster.anonymous.get("/api/v2/dags", headers={"Authorization": f"Bearer {token}"})
    assert listed.status_code == 200


async def test_wrong_credentials_are_401_and_do_not_say_which_is_wrong(cluster: Cluster) -> None:
    await make_ada(cluster)

    for username in ("ada", "nobody"):
        answer = await cluster.anonymous.post("/auth/token", json={"username": username, "password": "wrong"})
        assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid credentials"})


async def test_guessing_is_slowed_down_and_forgiven_after_a_minute(cluster: Cluster) -> None:
    await make_ada(cluster)
    wrong, right = {"username": "ada", "password": "wrong"}, {"username": "ada", "password": PASSWORD}
    for _ in range(MOST_FAILURES):
        assert (await cluster.anonymous.post("/auth/token", json=wrong)).status_code == 401

    refused = await cluster.anonymous.post("/auth/token", json=right)

    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= WINDOW_SECONDS
    assert refused.json()["detail"].startswith("too many failed logins within 60 seconds; try again in ")
    cluster.clock.advance(WINDOW_SECONDS)
    assert (await cluster.anonymous.post("/auth/token", json=right)).status_code == 201


@pytest.mark.parametrize(
    ("content", "where"),
    [(b"{", ["body"]), (b"[]", ["body"]), (b'{"username": "ada"}', ["body", "password"]), (b"\xff", ["body"])],
)
async def test_a_body_without_credentials_is_422_and_shows_nothing_of_them(
    cluster: Cluster, content: bytes, where: list[str]
) -> None:
    answer = await cluster.anonymous.post("/auth/token", content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert problem["loc"] == where and problem["input"] is None


async def test_the_login_paths_of_airflow_lead_to_the_login_page(cluster: Cluster) -> None:
    login = await cluster.anonymous.get("/api/v2/auth/login", params={"next": "/dags/etl?offset=50"})

    assert (login.status_code, login.headers["Location"]) == (307, "/login?next=%2Fdags%2Fetl%3Foffset%3D50")
    assert (await cluster.anonymous.get("/api/v2/auth/logout")).headers["Location"] == "/login"
