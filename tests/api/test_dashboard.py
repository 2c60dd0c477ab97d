"""The dashboard: login, pages without JavaScript, and forms that only their own session can send."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from flowd.api.dashboard.guard import COOKIE
from flowd.api.login import MOST_FAILURES
from flowd.db import import_errors
from flowd.db.accounts import ADMIN, Accounts
from flowd.db.login_links import LoginLinks
from flowd.db.sessions import Sessions
from flowd.domain.states import TaskState
from flowd.logs.paths import log_path
from flowd.security.account_role import AccountRole
from tests.api.cluster import PASSWORD, Cluster
from tests.support.specs import a_dag, a_task


class Balance(HTMLParser):
    """Whether tags are closed in the order they were opened, and what would run or load from elsewhere."""

    VOID = frozenset({"meta", "link", "input", "br", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("style", "iframe") or (
            tag == "script" and not (dict(attrs).get("src") or "").startswith("/static/")
        ):
            self.problems.append(f"<{tag}>")
        for name, value in attrs:
            # What stands in a field is loaded by nobody: `http` is a type of connections.
            is_elsewhere = name != "value" and (value or "").startswith(("http", "//", "javascript:"))
            if name == "style" or name.startswith("on") or is_elsewhere:
                self.problems.append(f"{tag} {name}={value}")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        # The end of <tr> or <td> is always written out in our templates.
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}>")


def problems_of(page: str) -> list[str]:
    parser = Balance()
    parser.feed(page)
    return parser.problems + parser.open


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
    assert found, page
    return found[1]


@pytest.fixture
async def browser(cluster: Cluster) -> httpx.AsyncClient:
    """A browser in which the user `ada`, a User, is logged in."""
    await Accounts(cluster.metastore).create("ada", AccountRole.USER, PASSWORD)
    answer = await cluster.anonymous.post("/login", data={"username": "ada", "password": PASSWORD})
    assert answer.status_code == 303
    return cluster.anonymous


async def test_a_login_gives_a_cookie_that_scripts_and_other_sites_cannot_use(cluster: Cluster) -> None:
    await Accounts(cluster.metastore).create("ada", AccountRole.USER, PASSWORD)

    data = {"username": "ada", "password": PASSWORD, "next": "/dags/etl"}
    answer = await cluster.anonymous.post("/login", data=data)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/dags/etl")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie and "ada" not in cookie
    assert "ada · User" in (await cluster.anonymous.get("/")).text


async def test_over_https_the_cookie_never_travels_in_clear(cluster: Cluster) -> None:
    await Accounts(cluster.metastore).create("ada", AccountRole.USER, PASSWORD)

    answer = await cluster.anonymous.post("https://flowd.test/login", data={"username": "ada", "password": PASSWORD})

    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


async def test_a_wrong_password_is_told_on_the_page(cluster: Cluster) -> None:
    answer = await cluster.anonymous.post("/login", data={"username": "<b>", "password": "wrong"})

    assert answer.status_code == 401
    assert "the user name or the password is wrong" in answer.text


@pytest.mark.parametrize("elsewhere", ["//evil.test", "https://evil.test", "/\\evil.test", "/a\nb"])
async def test_a_login_never_leads_to_another_site(cluster: Cluster, elsewhere: str) -> None:
    await Accounts(cluster.metastore).create("ada", AccountRole.USER, PASSWORD)

    data = {"username": "ada", "password": PASSWORD, "next": elsewhere}
    answer = await cluster.anonymous.post("/login", data=data)

    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.test"}])
async def test_a_login_form_of_another_site_is_refused(cluster: Cluster, headers: dict[str, str]) -> None:
    answer = await cluster.anonymous.post("/login", data={"username": "a", "password": "b"}, headers=headers)

    assert answer.status_code == 403
    ours = await cluster.anonymous.post("/login", data={}, headers={"Origin": "http://flowd.test"})
    assert ours.status_code == 401


async def test_guessing_on_the_login_page_is_slowed_down_with_what_clients_guess(cluster: Cluster) -> None:
    await Accounts(cluster.metastore).create("ada", AccountRole.USER, PASSWORD)
    wrong = {"username": "ada", "password": "wrong"}
    await cluster.anonymous.post("/auth/token", json=wrong)
    for _ in range(MOST_FAILURES - 1):
        assert (await cluster.anonymous.post("/login", data=wrong)).status_code == 401

    refused = await cluster.anonymous.post("/login", data={"username": "ada", "password": PASSWORD})

    assert refused.status_code == 429 and "too many failed logins" in refused.text
    assert int(refused.headers["Retry-After"]) > 0


async def test_a_one_time_link_logs_in_once_and_looking_at_it_does_not_use_it_up(cluster: Cluster) -> None:
    await Accounts(cluster.metastore).ensure_admin(None)
    token = await LoginLinks(cluster.metastore).issue(ADMIN)

    page = await cluster.anonymous.get("/login", params={"token": token})
    first = await cluster.anonymous.post("/login", data={"token": token})
    second = await cluster.anonymous.post("/login", data={"token": token})

    assert f'value="{token}"' in page.text
    assert (first.status_code, second.status_code) == (303, 401)
    assert "the login link is wrong, expired or used already" in second.text


async def test_without_a_session_every_page_leads_to_the_login_and_back(cluster: Cluster) -> None:
    answer = await cluster.anonymous.get("/dags/etl?offset=50")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=%2Fdags%2Fetl%3Foffset%3D50")


async def is_in(cluster: Cluster, cookie: str) -> bool:
    cluster.anonymous.cookies.clear()
    return (await cluster.anonymous.get("/", headers={"Cookie": f"{COOKIE}={cookie}"})).status_code == 200


async def test_a_session_that_is_forged_or_over_is_none(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    cookie = browser.cookies[COOKIE]
    over = await Sessions(cluster.metastore, timedelta()).begin("ada")

    assert await is_in(cluster, cookie)
    for wrong in (cookie[:-1], cookie + "0", "x", over):
        assert not await is_in(cluster, wrong), wrong


async def test_the_metastore_holds_nothing_that_lets_anybody_in(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    async with cluster.metastore.reading() as tx:
        stored = (await tx.execute("SELECT token_hash FROM login_session")).scalar_one()

    assert browser.cookies[COOKIE] != stored
    assert not await is_in(cluster, stored)


async def test_a_login_never_goes_on_with_a_session_from_before(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    before = browser.cookies[COOKIE]

    await browser.post("/login", data={"username": "ada", "password": PASSWORD})

    after = browser.cookies[COOKIE]
    assert before != after
    assert await is_in(cluster, after) and not await is_in(cluster, before)


async def test_logging_out_ends_the_session_also_for_whoever_has_copied_it(
    cluster: Cluster, browser: httpx.AsyncClient
) -> None:
    cookie = browser.cookies[COOKIE]

    answer = await browser.post("/logout")

    assert answer.headers["Location"] == "/login"
    assert (await browser.get("/")).status_code == 303
    assert not await is_in(cluster, cookie)


@pytest.mark.parametrize(
    "end",
    [
        lambda accounts: accounts.set_password("ada", "another"),
        lambda accounts: accounts.revoke("ada"),
        lambda accounts: accounts.delete("ada"),
    ],
    ids=["new password", "revoked", "deleted"],
)
async def test_sessions_and_access_tokens_end_at_once_where_the_account_says_so(
    cluster: Cluster, browser: httpx.AsyncClient, end: Callable[[Accounts], Awaitable[None]]
) -> None:
    cookie = browser.cookies[COOKIE]
    given = await browser.post("/auth/token", json={"username": "ada", "password": PASSWORD})
    headers = {"Authorization": f"Bearer {given.json()['access_token']}"}
    assert await is_in(cluster, cookie)
    assert (await browser.get("/api/v2/dags", headers=headers)).status_code == 200

    await end(Accounts(cluster.metastore))

    assert not await is_in(cluster, cookie)
    assert (await browser.get("/api/v2/dags", headers=headers)).status_code == 403


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.test"}])
async def test_a_form_of_another_site_changes_nothing_even_with_the_sessions_token(
    browser: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    token = csrf_of((await browser.get("/dags/etl")).text)

    answer = await browser.post("/dags/etl/trigger", data={"csrf": token}, headers=headers)

    assert answer.status_code == 403 and "sent by a page of another site" in answer.text


async def test_the_list_shows_dags_their_last_runs_and_import_errors(
    cluster: Cluster, browser: httpx.AsyncClient
) -> None:
    await cluster.save(a_dag(a_task("t"), dag_id="quiet", file="quiet.py"), is_paused=True)
    instances = await cluster.start(await cluster.trigger(run_id="r1"))
    await cluster.fail(instances["extract"])
    async with cluster.metastore.transaction() as tx:
        await import_errors.replace(tx, ["bad.py"], {"bad.py": "SyntaxError: <no>"}, await tx.now())

    page = (await browser.get("/dags")).text
    found = (await browser.get("/dags", params={"q": "qui"})).text
    nothing = (await browser.get("/dags", params={"q": "<i>"})).text

    assert "The ETL" in page and "quiet" in page and "/dags/etl/runs/r1" in page
    assert 'title="1 running"' in page and "none yet" in page
    assert "bad.py could not be read" in page and "SyntaxError: &lt;no&gt;" in page
    assert "The ETL" not in found and "quiet" in found
    assert "none has <code>&lt;i&gt;</code> in its id" in nothing
    assert problems_of(page) == problems_of(found) == problems_of(nothing) == []


async def test_the_list_shows_a_run_that_waits_beside_one_that_runs(
    cluster: Cluster, browser: httpx.AsyncClient
) -> None:
    await cluster.start(await cluster.trigger(run_id="runs"))
    await cluster.trigger(run_id="waits")
    cluster.clock.advance(60)

    page = await browser.get("/dags")

    assert page.status_code == 200
    assert "/dags/etl/runs/runs" in page.text and "/dags/etl/runs/waits" in page.text


async def test_a_dag_is_triggered_and_paused_from_its_page(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    token = csrf_of((await browser.get("/dags/etl")).text)

    triggered = await browser.post("/dags/etl/trigger", data={"csrf": token})
    paused = await browser.post("/dags/etl/pause", data={"csrf": token, "is_paused": "true", "back": "/dags?q=etl"})

    assert (triggered.status_code, paused.status_code) == (303, 303)
    assert paused.headers["Location"] == "/dags?q=etl"
    (run,) = (await cluster.get("/api/v2/dags/etl/dagRuns"))["dag_runs"]
    assert (run["triggered_by"], run["triggering_user_name"]) == ("ui", "ada")
    assert unquote(triggered.headers["Location"]) == f"/dags/etl/runs/{run['dag_run_id']}"
    assert (await cluster.get("/api/v2/dags/etl"))["is_paused"] is True
    page = (await browser.get(triggered.headers["Location"])).text
    assert "It has no task instances yet" in page and problems_of(page) == []


@pytest.mark.parametrize("data", [{}, {"csrf": "f" * 64}, {"csrf": "é"}])
async def test_a_form_without_the_sessions_token_changes_nothing(
    cluster: Cluster, browser: httpx.AsyncClient, data: dict[str, str]
) -> None:
    answer = await browser.post("/dags/etl/trigger", data=data)

    assert answer.status_code == 403
    assert "The form is not of this session" in answer.text
    assert (await cluster.get("/api/v2/dags/etl/dagRuns"))["total_entries"] == 0


async def test_a_viewer_sees_pages_but_cannot_press_buttons(cluster: Cluster) -> None:
    await Accounts(cluster.metastore).create("vera", AccountRole.VIEWER, PASSWORD)
    await cluster.anonymous.post("/login", data={"username": "vera", "password": PASSWORD})
    token = csrf_of((await cluster.anonymous.get("/")).text)

    answer = await cluster.anonymous.post("/dags/etl/trigger", data={"csrf": token})

    assert (answer.status_code, "this asks for User" in answer.text) == (403, True)


async def test_a_run_shows_its_tasks_and_restarts_those_that_failed(
    cluster: Cluster, browser: httpx.AsyncClient
) -> None:
    instances = await cluster.start(await cluster.trigger())
    await cluster.fail(instances["extract"], error="Traceback: <boom>")
    page = (await browser.get("/dags/etl/runs/one")).text
    task = (await browser.get("/dags/etl/runs/one/tasks/extract")).text

    cleared = await browser.post("/dags/etl/runs/one/clear", data={"csrf": csrf_of(page), "only_failed": "true"})

    assert "Load it" in page and "✗" in page and problems_of(page) == []
    assert "Traceback: &lt;boom&gt;" in task and problems_of(task) == []
    assert cleared.headers["Location"] == "/dags/etl/runs/one"
    assert (await cluster.get("/api/v2/dags/etl/dagRuns/one/taskInstances/extract"))["state"] is None


async def test_a_task_shows_the_end_of_its_log_or_why_it_has_none(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    instances = await cluster.start(await cluster.trigger())
    await cluster.succeed(instances["extract"])
    path = log_path(cluster.settings.logs.folder, "etl", "one", "extract", -1, 1)
    absent = (await browser.get("/dags/etl/runs/one/tasks/extract")).text
    write_lines(path, 20_000)

    page = (await browser.get("/dags/etl/runs/one/tasks/extract")).text
    begin = (await browser.get("/dags/etl/runs/one/tasks/extract?try_number=1&start=0")).text
    waiting = (await browser.get("/dags/etl/runs/one/tasks/load")).text

    assert "There is no log of this try here" in absent
    assert "line 19999 &lt;script&gt;" in page and "line 0 " not in page
    assert "line 0 " in begin and "go on</a>" in begin
    assert "trigger rule all_success: 1 of 1 upstream tasks is not done" in waiting
    assert problems_of(absent) == problems_of(page) == problems_of(begin) == problems_of(waiting) == []


def write_lines(path: Path, count: int) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(
        "".join(f"2026-01-01T12:00:00.000000Z o line {n} <script>{'x' * 60}\n" for n in range(count)), encoding="utf-8"
    )


async def test_what_is_not_there_is_a_page_that_says_so(browser: httpx.AsyncClient) -> None:
    for path in ("/dags/nope", "/dags/etl/runs/nope", "/dags/etl/runs/nope/tasks/x", "/dags/etl/nope"):
        answer = await browser.get(path)
        assert answer.status_code == 404 and "<h1>Not Found</h1>" in answer.text, path
        assert problems_of(answer.text) == []
    assert (await browser.get("/dags?offset=x")).status_code == 422


async def test_the_style_sheet_has_a_colour_for_every_state(cluster: Cluster) -> None:
    sheet = (await cluster.anonymous.get("/static/flowd.css")).text

    assert [state for state in TaskState if f"--{state.value}:" not in sheet] == []
    assert "light-dark(" in sheet and "color-scheme: light dark" in sheet
