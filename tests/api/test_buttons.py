"""The dashboard shows nobody a form that they may not send, and shows whoever may."""

from collections.abc import Mapping
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from flowd.api.dashboard.guard import COOKIE
from flowd.db import hitl
from flowd.db.accounts import Accounts
from flowd.db.hitl import Question
from flowd.domain.task_events import Deferred
from flowd.security.account_role import AccountRole
from tests.api.cluster import TOKEN, Cluster
from tests.api.test_dashboard import csrf_of
from tests.support.specs import a_dag, a_task

PAYROLL = a_dag(
    a_task("asks"),
    dag_id="payroll",
    file="payroll.py",
    presentation={"access_control": {"hr": ["can_read"], "boss": ["can_edit"], "clerk": {"DAG Runs": ["can_create"]}}},
)
PEOPLE = {
    "viewer": (AccountRole.VIEWER, ()),
    "user": (AccountRole.USER, ()),
    "op": (AccountRole.OP, ()),
    "admin": (AccountRole.ADMIN, ()),
    "reader": (AccountRole.USER, ("hr",)),
    "clerk": (AccountRole.USER, ("clerk",)),
    "boss": (AccountRole.USER, ("boss",)),
    # A DAG file adds nothing to what an account may do anyway.
    "guest": (AccountRole.VIEWER, ("boss",)),
}
PAGES = (
    "/",
    "/dags",
    "/dags/etl",
    "/dags/payroll",
    "/dags/payroll/runs/one",
    "/dags/payroll/runs/one/tasks/asks",
    "/pools",
    "/pools/default_pool",
    "/variables",
    "/connections",
    "/import_errors",
    "/hitl",
    "/backfills",
    "/assets",
    "/workers",
    "/queues",
    "/account",
    "/users",
    "/users/somebody",
)


class Forms(HTMLParser):
    """The forms of a page that change something, and the fields that each would send."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._fields = {}
            if given.get("method") == "post":
                self.found[unquote(given["action"])] = self._fields
        elif tag == "input" and given.get("name") and given.get("type") != "password":
            self._fields.setdefault(given["name"], given.get("value", ""))


class Browser:
    """A browser in which somebody is logged in."""

    def __init__(self, cluster: Cluster, cookie: str) -> None:
        self._client = cluster.anonymous
        self._headers = {"Cookie": f"{COOKIE}={cookie}"}

    async def forms(self) -> dict[str, dict[str, str]]:
        """Every form of every page that they may see, by where it leads."""
        found: dict[str, dict[str, str]] = {}
        for page in PAGES:
            answer = await self._client.get(page, headers=self._headers)
            assert answer.status_code in (200, 403, 404), answer.text
            if answer.status_code == 200:
                found |= Forms(answer.text).found
        return found

    async def is_let(self, action: str, fields: Mapping[str, str]) -> bool:
        """Whether the server does what a form asks, or has another reason not to."""
        token = csrf_of((await self._client.get("/account", headers=self._headers)).text)
        answer = await self._client.post(action, data={**fields, "csrf": token}, headers=self._headers)
        return answer.status_code not in (403, 404)


@pytest.fixture
async def browsers(cluster: Cluster) -> Mapping[str, Browser]:
    """Browsers of all kinds of people, over a DAG whose task asks something."""
    await cluster.save(PAYROLL)
    instances = await cluster.start(await cluster.trigger("payroll", "one"))
    running = await cluster.claim(instances["asks"])
    await cluster.happen(running, Deferred(TOKEN, None))
    async with cluster.metastore.transaction() as tx:
        question = Question(subject="Pay?", options=["yes"], defaults=None)
        await hitl.ask(tx, running.key, 1, question, await tx.now())
    accounts = Accounts(cluster.metastore)
    await accounts.create("somebody", AccountRole.VIEWER, None)
    sessions = cluster.app.state.context.sessions
    made = {}
    for name, (role, groups) in PEOPLE.items():
        if name not in {role.lower() for role in AccountRole}:
            await accounts.create(name, role, None, groups)
        made[name] = Browser(cluster, await sessions.begin(name))
    return made


async def test_a_form_is_shown_to_whoever_may_send_it_and_to_nobody_else(
    cluster: Cluster, browsers: Mapping[str, Browser]
) -> None:
    every = await browsers["admin"].forms()
    shown = {name: (await browser.forms()).keys() for name, browser in browsers.items()}

    let: dict[str, set[str]] = {}
    for name, browser in browsers.items():
        let[name] = {"/logout"}
        for action, fields in every.items():
            # Logging out ends the session that the others need; deleting takes away who is asked about.
            if action != "/logout" and not action.endswith("/delete") and await browser.is_let(action, fields):
                let[name].add(action)
        if browser is browsers["admin"]:
            let[name].add("/users/somebody/delete")

    assert {name: sorted(let[name] ^ shown[name]) for name in PEOPLE} == {name: [] for name in PEOPLE}
    assert {"/dags/payroll/pause", "/dags/payroll/runs/one/clear", "/dags/payroll/runs/one/tasks/asks/answer"} <= set(
        every
    )
    own = {"/logout", "/preferences", "/account/tokens", "/dags/etl/favorite"}
    assert shown["viewer"] == own
    assert shown["user"] == own | {"/dags/etl/pause", "/dags/etl/trigger"}
    seen = {"/dags/payroll/favorite"}
    assert shown["clerk"] - shown["user"] == seen | {"/dags/payroll/trigger"}
    assert shown["reader"] == shown["user"] | seen and shown["guest"] == own | seen
