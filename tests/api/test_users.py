"""People and tokens, over the API and on the pages."""

import json
import re
from typing import Any

import httpx
import pytest

from flowd.db.accounts import Accounts
from flowd.db.api_tokens import PREFIX, ApiTokens
from flowd.security.account_role import AccountRole
from tests.api.cluster import PASSWORD, Cluster
from tests.api.test_dashboard import csrf_of, problems_of
from tests.api.test_event_logs import changes, logged

USERS, TOKENS = "/api/v2/users", "/api/v2/tokens"


async def asked(client: httpx.AsyncClient, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = await client.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


@pytest.fixture
def admin(cluster: Cluster) -> httpx.AsyncClient:
    return cluster.clients[AccountRole.ADMIN]


async def login(cluster: Cluster, username: str, password: str = PASSWORD, status: int = 201) -> str:
    body = {"username": username, "password": password}
    return str((await asked(cluster.anonymous, "POST", "/auth/token", body, status)).get("access_token"))


async def test_somebody_is_let_in_changed_shut_out_and_removed(cluster: Cluster, admin: httpx.AsyncClient) -> None:
    body = {"username": "ada", "role": "User", "groups": ["sales"], "password": PASSWORD}
    made = await asked(admin, "POST", USERS, body, 201)
    assert {name: made[name] for name in ("username", "role", "groups", "is_active", "has_password")} == {
        "username": "ada",
        "role": "User",
        "groups": ["sales"],
        "is_active": True,
        "has_password": True,
    }
    assert await asked(admin, "GET", f"{USERS}/ada") == made
    assert made in (await asked(admin, "GET", USERS))["users"]
    await asked(admin, "POST", USERS, body, 409)
    token = await login(cluster, "ada")

    changed = await asked(admin, "PATCH", f"{USERS}/ada", {"role": "Op", "groups": []})
    assert (changed["role"], changed["groups"]) == ("Op", [])
    await asked(admin, "PATCH", f"{USERS}/ada", {"is_active": False})
    await login(cluster, "ada", status=401)
    assert (await asked(admin, "PATCH", f"{USERS}/ada", {"is_active": True, "password": "new"}))["is_active"]
    await login(cluster, "ada", status=401)
    await login(cluster, "ada", "new")
    # What was given before is void for good, also after they are let in again.
    refused = await cluster.anonymous.get("/api/v2/me", headers={"Authorization": f"Bearer {token}"})
    assert refused.status_code == 403

    await asked(admin, "POST", f"{USERS}/ada/revoke", None, 204)
    await asked(admin, "DELETE", f"{USERS}/ada", None, 204)
    await asked(admin, "GET", f"{USERS}/ada", None, 404)


async def test_the_last_admin_stays_one(admin: httpx.AsyncClient) -> None:
    for method, body in (("DELETE", None), ("PATCH", {"role": "Op"}), ("PATCH", {"is_active": False})):
        answer = await admin.request(method, f"{USERS}/admin", json=body)
        assert answer.status_code == 409
        assert "user 'admin' is the last Admin" in answer.text


@pytest.mark.parametrize(
    ("body", "status"),
    [({"role": "Boss"}, 400), ({"username": ""}, 400), ({"password": "s3cr3t" * 200}, 422), ({"hobby": "s3cr3t"}, 422)],
)
async def test_what_is_no_user_is_refused_and_shows_no_password(
    admin: httpx.AsyncClient, body: Any, status: int
) -> None:
    answer = await admin.post(USERS, json={"username": "ada", "role": "User", "password": "s3cr3t", **body})

    assert (answer.status_code, "password" in body and "s3cr3t" in answer.text) == (status, False)


async def test_a_login_link_lets_in_once(cluster: Cluster, admin: httpx.AsyncClient) -> None:
    link = (await asked(admin, "POST", f"{USERS}/viewer/loginLink", None, 201))["path"]

    assert link.startswith("/login?token=")
    token = link.partition("token=")[2]
    assert [(await cluster.anonymous.post("/login", data={"token": token})).status_code for _ in range(2)] == [303, 401]


async def test_a_token_is_made_shown_once_used_and_revoked(cluster: Cluster, admin: httpx.AsyncClient) -> None:
    made = await asked(
        admin, "POST", TOKENS, {"username": "op", "name": "ci", "role": "Viewer", "lifetime_seconds": 60}, 201
    )
    secret = made.pop("secret")
    headers = {"Authorization": f"Bearer {secret}"}

    assert secret.startswith(PREFIX)
    me = await cluster.anonymous.get("/api/v2/me", headers=headers)
    assert (me.json()["username"], me.json()["role"]) == ("op", "Viewer")
    (listed,) = (await asked(admin, "GET", f"{TOKENS}?username=op"))["tokens"]
    assert {**listed, "last_used_at": None, "last_used_from": None} == made and listed["last_used_from"] == "127.0.0.1"
    assert secret not in (await admin.get(TOKENS)).text
    await asked(admin, "DELETE", f"{TOKENS}/op/ci", None, 204)
    assert (await cluster.anonymous.get("/api/v2/me", headers=headers)).status_code == 403
    await asked(admin, "DELETE", f"{TOKENS}/op/ci", None, 404)


async def test_everybody_has_tokens_and_a_password_of_their_own(cluster: Cluster, admin: httpx.AsyncClient) -> None:
    await asked(admin, "PATCH", f"{USERS}/viewer", {"password": PASSWORD})
    token = await login(cluster, "viewer")
    headers = {"Authorization": f"Bearer {token}"}
    mine = "/api/v2/me/tokens"

    made = await cluster.anonymous.post(mine, json={"name": "mine", "lifetime_seconds": 60}, headers=headers)
    too_much = await cluster.anonymous.post(
        mine, json={"name": "more", "role": "Op", "lifetime_seconds": 60}, headers=headers
    )
    never = await cluster.anonymous.post(mine, json={"name": "ever", "lifetime_seconds": 0}, headers=headers)
    listed = await cluster.anonymous.get(mine, headers=headers)

    assert (made.status_code, too_much.status_code, never.status_code) == (201, 400, 422)
    assert "'viewer' is Viewer; a token of theirs cannot be Op" in too_much.text
    assert [one["name"] for one in listed.json()["tokens"]] == ["mine"]
    assert (await cluster.anonymous.delete(f"{mine}/mine", headers=headers)).status_code == 204
    wrong = {"old_password": "wrong", "new_password": "n"}
    assert (await cluster.anonymous.put("/api/v2/me/password", json=wrong, headers=headers)).status_code == 403
    right = {"old_password": PASSWORD, "new_password": "new"}
    assert (await cluster.anonymous.put("/api/v2/me/password", json=right, headers=headers)).status_code == 204
    await login(cluster, "viewer", "new")


async def test_a_token_makes_no_token_and_sets_no_password(cluster: Cluster) -> None:
    """Else one of a lower role could make itself a higher one, and one that ends could outlive itself."""
    secret, _ = await ApiTokens(cluster.metastore).create(
        "admin", "ci", cluster.settings.security.token_lifetime, AccountRole.VIEWER
    )
    headers = {"Authorization": f"Bearer {secret}"}

    made = await cluster.anonymous.post(
        "/api/v2/me/tokens", json={"name": "more", "lifetime_seconds": 60}, headers=headers
    )
    body = {"old_password": "a", "new_password": "b"}
    changed = await cluster.anonymous.put("/api/v2/me/password", json=body, headers=headers)

    assert (made.status_code, changed.status_code) == (403, 403)
    assert made.json()["detail"] == "the API token 'ci' may not do this: log in with a password or a link"


async def test_logins_failures_and_logouts_are_in_the_audit_log_and_no_secret_is(cluster: Cluster) -> None:
    await Accounts(cluster.metastore).create("ada", AccountRole.USER, PASSWORD)
    browser = cluster.anonymous

    await login(cluster, "ada")
    await login(cluster, "ada", "wr0ng-canary", 401)
    # Whoever types a password into the wrong field is not to find it in a log.
    await login(cluster, "typed-canary", "x", 401)
    await browser.post("/login", data={"username": "ada", "password": PASSWORD})
    await browser.post("/logout")
    await browser.post("/logout")
    await browser.post("/login", data={"token": "wrong-token-canary"})

    entries = await logged(cluster)
    assert [(one["event"], one["owner"], json.loads(one["extra"])["by"]) for one in entries] == [
        ("login", "ada", "password"),
        ("login_failed", "ada", "password"),
        ("login_failed", "-", "password"),
        ("login", "ada", "password"),
        ("logout", "ada", "session"),
        ("login_failed", "-", "login link"),
    ]
    assert {json.loads(one["extra"])["address"] for one in entries} == {"127.0.0.1"}
    assert "canary" not in json.dumps(entries) and PASSWORD not in json.dumps(entries)


async def test_what_a_token_changes_is_logged_with_its_name(cluster: Cluster) -> None:
    secret, _ = await ApiTokens(cluster.metastore).create("op", "ci", cluster.settings.security.token_lifetime)
    headers = {"Authorization": f"Bearer {secret}"}

    await cluster.anonymous.post("/api/v2/pools", json={"name": "p", "slots": 1}, headers=headers)

    used, posted = await logged(cluster)
    assert (used["event"], used["owner"]) == ("use_api_token", "op")
    assert changes(used) == [("token ci of user op", {"used_from": None}, {"used_from": "127.0.0.1"})]
    assert (posted["event"], json.loads(posted["extra"])["api_token"]) == ("post_pool", "ci")
    assert secret not in json.dumps([used, posted])


async def test_an_admin_manages_people_on_pages(cluster: Cluster, admin: httpx.AsyncClient) -> None:
    await asked(admin, "PATCH", f"{USERS}/admin", {"password": PASSWORD})
    browser = cluster.anonymous
    await browser.post("/login", data={"username": "admin", "password": PASSWORD})
    form = {"csrf": csrf_of((await browser.get("/users")).text)}

    made = await browser.post("/users", data={**form, "username": "ada l", "role": "User", "groups": "sales, ops"})
    page = (await browser.get(made.headers["Location"])).text
    changed = await browser.post("/users/ada l", data={**form, "role": "Op", "groups": "ops"})
    link = (await browser.post("/users/ada l/login-link", data=form)).text
    token = (
        await browser.post("/users/ada l/tokens", data={**form, "name": "ci", "role": "Viewer", "lifetime": "1d"})
    ).text

    assert made.headers["Location"] == "/users/ada%20l" and problems_of(page) == problems_of(token) == []
    assert changed.status_code == 303
    account = await Accounts(cluster.metastore).get("ada l")
    assert (account.role, account.groups, account.is_active) == (AccountRole.OP, ("ops",), False)
    assert re.search(r"/login\?token=\S+", link)
    (secret,) = re.findall(r"<code>(flowd_\S+)</code>", token)
    assert secret not in (await browser.get("/users/ada l")).text
    assert (await browser.post("/users/ada l/tokens/revoke", data={**form, "name": "ci"})).status_code == 303
    bad = await browser.post("/users/ada l/tokens", data={**form, "name": "x", "role": "Viewer", "lifetime": "long"})
    assert bad.status_code == 400 and "is no duration" in bad.text
    for action, more in (("password", {"password": PASSWORD}), ("revoke", {}), ("delete", {})):
        assert (await browser.post(f"/users/ada l/{action}", data={**form, **more})).status_code == 303
    assert (await browser.get("/users/ada l")).status_code == 404
    assert problems_of((await browser.get("/users")).text) == []


async def test_everybody_has_a_page_of_their_own(cluster: Cluster) -> None:
    await Accounts(cluster.metastore).create("ada", AccountRole.USER, PASSWORD)
    browser = cluster.anonymous
    await browser.post("/login", data={"username": "ada", "password": PASSWORD})
    page = (await browser.get("/account")).text
    form = {"csrf": csrf_of(page)}

    token = (await browser.post("/account/tokens", data={**form, "name": "ci", "role": "User", "lifetime": "1d"})).text
    above = await browser.post("/account/tokens", data={**form, "name": "x", "role": "Admin", "lifetime": "1d"})
    assert problems_of(page) == problems_of(token) == [] and "<option>Op</option>" not in page
    assert re.search(r"<code>flowd_\S+</code>", token) and above.status_code == 400
    assert (await browser.post("/account/tokens/revoke", data={**form, "name": "ci"})).status_code == 303
    body = {**form, "old_password": PASSWORD, "new_password": "new"}
    changed = await browser.post("/account/password", data=body)
    assert (changed.status_code, changed.headers["Location"]) == (303, "/login?next=/account")
    assert (await browser.get("/account")).status_code == 303
