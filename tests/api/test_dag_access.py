"""Who sees and changes a DAG that names in `access_control` whom it lets in: every route, every role.

The routes are the app's own, so that a new one is asked as well.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from flowd.api.access import ACCESS, PUBLIC
from flowd.api.dag_access import needed_permission
from flowd.api.dashboard.guard import COOKIE, PageRoute
from flowd.api.guard import ApiRoute
from flowd.db import assets, hitl, import_errors
from flowd.db.accounts import Accounts
from flowd.db.assets import Made
from flowd.db.hitl import Question
from flowd.domain.assets import AssetNews, AssetSpec
from flowd.domain.dag_access import DagPermission
from flowd.domain.timetable import CronTriggerTimetable
from flowd.security.account_role import AccountRole
from tests.api.cluster import Cluster
from tests.api.test_access import ENDLESS, routes
from tests.support.specs import a_dag, a_task

WAGES = AssetSpec(name="wages", uri="s3://wages")
PAYROLL = a_dag(
    a_task("pay", outlets=(WAGES,), pool="no such pool of payroll"),
    a_task("tell", inlets=(WAGES,)),
    dag_id="payroll",
    file="payroll.py",
    timetable=CronTriggerTimetable("0 0 * * *", "UTC"),
    assets=WAGES,
    presentation={
        "tags": ["payroll-tag"],
        "access_control": {"hr": ["can_read"], "boss": ["can_edit"], "clerk": {"DAG Runs": ["can_create"]}},
    },
)
CANARY = "payroll"
"""In everything that is of the restricted DAG, and in nothing else."""

RESTRICTED = (AccountRole.VIEWER, AccountRole.USER)
WRITES = ("POST", "PUT", "PATCH", "DELETE")

RUN = {"dag_id": "payroll", "dag_run_id": "payroll_run"}
TASK = {**RUN, "task_id": "pay"}
JANUARY = {"dag_id": "payroll", "from_date": "2024-01-01T00:00:00Z", "to_date": "2024-01-04T00:00:00Z"}

BODIES: Mapping[str, Any] = {
    "PATCH /api/v2/dags": {"is_paused": True},
    "PATCH /api/v2/dags/{dag_id}/dagRuns": {
        "actions": [
            {"action": "update", "entities": [{**RUN, "state": "failed", "note": "seen"}]},
            {"action": "delete", "entities": [{**RUN, "dag_run_id": "payroll_queued"}]},
        ]
    },
    "POST /api/v2/dags/{dag_id}/clearDagRuns": {"dag_runs": [RUN], "dry_run": False, "only_failed": False},
    "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances": {
        "actions": [{"action": "update", "entities": [{**TASK, "new_state": "failed", "note": "seen"}]}]
    },
    "POST /api/v2/dags/{dag_id}/dagRuns/list": {"dag_ids": ["payroll"]},
    "POST /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/list": {"dag_ids": ["payroll"]},
    "POST /api/v2/backfills": JANUARY,
    "POST /api/v2/backfills/dry_run": JANUARY,
    "PUT /api/v2/backfills/{backfill_id}/pause": None,
    "PUT /api/v2/backfills/{backfill_id}/unpause": None,
    "PUT /api/v2/backfills/{backfill_id}/cancel": None,
    "POST /api/v2/assets/{asset_id}/materialize": {},
    "DELETE /api/v2/assets/{asset_id}/queuedEvents": None,
    "PUT /api/v2/parseDagFile/{file_token:path}": None,
    "POST /dag_runs/clear": {"run": "1", "is_sure": "true"},
    "POST /dag_runs/mark": {"run": "1", "state": "failed", "is_sure": "true"},
    "POST /task_instances/clear": {"instance": "1", "is_sure": "true"},
    "POST /task_instances/mark": {"instance": "1", "state": "failed", "is_sure": "true"},
    "POST /task_instances/cancel": {"instance": "1", "is_sure": "true"},
    "POST /import_errors/reparse": {"file": "payroll.py"},
    "POST /backfills": {"dag": "payroll", "from_date": "2024-01-01T00:00", "to_date": "2024-01-04T00:00"},
    "POST /backfills/{backfill_id}/pause": None,
    "POST /backfills/{backfill_id}/cancel": None,
    "POST /assets/{asset_id}/materialize": None,
    "POST /assets/{asset_id}/forget": None,
}
"""What aims at the restricted DAG where the path does not name it, or names `~`."""

OF_MANY = {
    "PATCH /api/v2/dags",
    "POST /api/v2/dags/{dag_id}/dagRuns/list",
    "POST /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/list",
}

OF_NO_DAG = {
    # Assets are what teams hand each other: whoever may say that one has changed, or keep a value of it, may do so for
    # every DAG; what comes of it in a DAG that they may not see they are not told.
    "POST /api/v2/assets/events",
    "POST /assets/{asset_id}/events",
    "PUT /api/v2/assets/{asset_id}/state-store/{key:path}",
    "DELETE /api/v2/assets/{asset_id}/state-store/{key:path}",
    "DELETE /api/v2/assets/{asset_id}/state-store",
}
"""Changes that a User may make and that are about no DAG. A new one belongs here, or in BODIES."""


@pytest.fixture
async def payroll(cluster: Cluster) -> Mapping[str, str]:
    """The restricted DAG with one of everything, and the parameters of paths that lead to it."""
    await cluster.save(PAYROLL)
    run = await cluster.trigger("payroll", "payroll_run", conf={"of": "payroll"}, note="payroll note")
    instances = await cluster.start(run)
    await cluster.trigger("payroll", "payroll_queued")
    await cluster.succeed(instances["pay"], "payroll value")
    made = await cluster.send("POST", "/api/v2/backfills", JANUARY)
    async with cluster.metastore.transaction() as tx:
        now = await tx.now()
        news = AssetNews(asset=WAGES, extra={"of": "payroll"})
        await assets.record(tx, [Made(instance=instances["pay"].key, news=news)], now)
        asset = await assets.id_of(tx, "wages")
        await hitl.ask(tx, instances["tell"].key, 0, Question(subject="payroll?", options=["yes"], defaults=[]), now)
        await import_errors.replace(tx, ["payroll.py"], {"payroll.py": "payroll broke"}, now)
        (error,) = (await tx.execute("SELECT id FROM import_error")).one()
    return {
        "dag_id": "payroll",
        "dag_run_id": "payroll_run",
        "run_id": "payroll_run",
        "task_id": "pay",
        "map_index": "-1",
        "try_number": "1",
        "task_try_number": "1",
        "version_number": "1",
        "group_id": "g",
        "xcom_key": "return_value",
        "key": "k",
        "asset_id": str(asset),
        "file_token": "payroll.py",
        "asset_alias_id": "1",
        "backfill_id": str(made["id"]),
        "import_error_id": str(error),
        "event_log_id": "1",
    }


def filled(path: str, values: Mapping[str, str]) -> str:
    return re.sub(r"{(\w+)(?::path)?}", lambda found: values.get(found[1], "1"), path)


def restricted_routes(cluster: Cluster) -> list[tuple[str, str, str, AccountRole]]:
    """Every route that Viewers or Users may use, as its name, method, path and role."""
    return [
        (name, *name.split(" "), role)  # type: ignore[misc]
        for name in routes(cluster)
        if name != ENDLESS and (role := ACCESS[name]) is not PUBLIC and role in RESTRICTED
    ]


async def asker(cluster: Cluster, username: str) -> Callable[..., Awaitable[httpx.Response]]:
    """Somebody who asks pages with a session and the API with a token."""
    context = cluster.app.state.context
    account = await context.accounts.get(username)
    cookie = await context.sessions.begin(username)
    csrf = (await context.sessions.find(cookie)).csrf_token
    token = context.tokens.issue(username, account.role, context.backends.clock.now(), generation=account.generation)
    kinds = routes(cluster)

    async def ask(name: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
        method = name.split(" ")[0]
        if isinstance(kinds[name], PageRoute):
            form = {"csrf": csrf, "is_paused": "true"} | (body or {}) if method == "POST" else None
            headers = {"Cookie": f"{COOKIE}={cookie}"}
            return await cluster.anonymous.request(method, path, data=form, headers=headers, params=params)
        assert isinstance(kinds[name], ApiRoute)
        headers = {"Authorization": f"Bearer {token}"}
        sent = {} if body is None and method in WRITES else {"json": body}
        return await cluster.anonymous.request(method, path, headers=headers, params=params, **sent)

    return ask


async def everything(cluster: Cluster) -> list[Any]:
    """What an Op sees of the restricted DAG."""
    paths = [
        "/dags/payroll",
        "/dags/payroll/dagRuns",
        "/dags/payroll/dagRuns/payroll_run/taskInstances",
        "/dags/payroll/dagRuns/payroll_run/taskInstances/pay/xcomEntries",
        "/backfills?dag_id=payroll",
        "/dags/payroll/assets/queuedEvents",
    ]
    answers = [await cluster.op.get(f"/api/v2{path}") for path in paths]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.json() for answer in answers]


async def test_a_dag_that_may_not_be_seen_is_as_one_that_is_not_there(
    cluster: Cluster, payroll: Mapping[str, str]
) -> None:
    by_role = {role: await asker(cluster, role.lower()) for role in RESTRICTED}
    before, asked = await everything(cluster), 0

    for name, method, path, role in restricted_routes(cluster):
        # Every third is asked about a DAG that is not there, too: the same words for both.
        for dag_id in ("payroll", "nothing")[: 1 + (asked % 3 == 0)] if "{dag_id}" in path else ():
            body = BODIES.get(name, {}) if method in WRITES else None
            answer = await by_role[role](name, filled(path, {**payroll, "dag_id": dag_id}), body)

            assert answer.status_code == 404, (name, answer.text)
            assert answer.text.count(f"The Dag with ID: `{dag_id}` was not found") == 1, (name, answer.text)
        asked += "{dag_id}" in path

    assert asked > 60
    assert await everything(cluster) == before


async def test_no_list_and_no_id_leads_to_a_dag_that_may_not_be_seen(
    cluster: Cluster, payroll: Mapping[str, str]
) -> None:
    ask = await asker(cluster, "viewer")
    every = dict.fromkeys(("dag_id", "dag_run_id", "task_id"), "~")
    asked = told = 0

    for name, method, path, _ in restricted_routes(cluster):
        if method != "GET":
            continue
        # Once with all of it left open, and once with the DAG alone.
        for wild in (every, {"dag_id": "~"}) if "{task_id}" in path else (every,):
            answer = await ask(
                name, filled(path, {**payroll, **wild}), dag_id="payroll" if "/api/v2/backfills" in path else None
            )
            asked += 1
            told += answer.status_code == 200

            # What a message repeats of the request itself tells nothing.
            shown = answer.text if answer.status_code == 200 else answer.text.replace("payroll_run", "")
            assert CANARY not in shown, (name, wild, answer.text)

    assert asked > 70 and told > 20


async def test_an_op_is_shown_the_same_things(cluster: Cluster, payroll: Mapping[str, str]) -> None:
    """Else the canary of the test above would prove nothing."""
    for path in (
        "/dags", "/dagTags", "/dagStats", "/dagWarnings", "/importErrors", "/dags/~/dagRuns", "/assets",
        "/dags/~/dagRuns/~/taskInstances", "/dags/~/dagRuns/~/hitlDetails", "/backfills?dag_id=payroll",
        "/dags/~/dagRuns/~/taskInstances/~/xcomEntries", f"/assets/{payroll['asset_id']}/queuedEvents",
        f"/importErrors/{payroll['import_error_id']}", f"/backfills/{payroll['backfill_id']}", "/assets/events",
    ):  # fmt: skip
        assert CANARY in (await cluster.op.get(f"/api/v2{path}")).text, path


async def test_every_change_that_names_no_dag_in_its_path_is_known_to_this_test(cluster: Cluster) -> None:
    found = {
        name
        for name, method, path, role in restricted_routes(cluster)
        if method in WRITES and role is AccountRole.USER and "{dag_id}" not in path
    }

    assert found <= BODIES.keys() | OF_NO_DAG, "put each into BODIES, aimed at the restricted DAG, or into OF_NO_DAG"


async def test_no_change_reaches_a_dag_that_may_not_be_seen(cluster: Cluster, payroll: Mapping[str, str]) -> None:
    ask, before = await asker(cluster, "user"), await everything(cluster)
    wild = dict.fromkeys(("dag_id", "dag_run_id"), "~")

    for name, method, path, _ in restricted_routes(cluster):
        if method in WRITES and name not in OF_NO_DAG:
            answer = await ask(name, filled(path, {**payroll, **wild}), BODIES.get(name, {}))

            # What answers for each of many by itself is 200 for none; what was asked for one alone is not found.
            expected = (200,) if "actions" in str(BODIES.get(name)) or name in OF_MANY else (404,)
            assert answer.status_code in (expected if name in BODIES else range(200, 500)), (name, answer.text)

    assert await everything(cluster) == before


async def test_whoever_may_only_read_sees_and_changes_nothing(cluster: Cluster, payroll: Mapping[str, str]) -> None:
    await Accounts(cluster.metastore).create("ada", AccountRole.USER, None, ["hr"])
    ask, before = await asker(cluster, "ada"), await everything(cluster)

    for name, _, path, role in restricted_routes(cluster):
        wild = "{dag_id}" not in path or name in BODIES
        if name in OF_NO_DAG or role is AccountRole.VIEWER:
            continue
        body = BODIES.get(name, {})
        answer = await ask(
            name, filled(path, {**payroll, **({"dag_id": "~", "dag_run_id": "~"} if wild else {})}), body
        )
        if not wild or "parseDagFile" in name:
            assert answer.status_code == 403, (name, answer.text)
            assert "payroll" in answer.text and "its access_control does not permit it" in answer.text

    assert await everything(cluster) == before
    for path in ("/dags", "/dags/payroll", "/dags/payroll/dagRuns/payroll_run", "/dags/~/dagRuns/~/taskInstances"):
        assert "payroll" in (await ask("GET /api/v2/dags", f"/api/v2{path}")).text, path


@pytest.mark.parametrize(
    ("group", "role", "permitted"),
    [
        ("boss", AccountRole.USER, {"trigger", "note", "pause"}),
        ("clerk", AccountRole.USER, {"trigger"}),
        ("hr", AccountRole.USER, set()),
        # A DAG file adds nothing to what an account may do anyway.
        ("boss", AccountRole.VIEWER, set()),
    ],
)
async def test_whom_a_dag_lets_in_may_do_what_it_says(
    cluster: Cluster, payroll: Mapping[str, str], group: str, role: AccountRole, permitted: set[str]
) -> None:
    await Accounts(cluster.metastore).create("ada", role, None, [group])
    ask = await asker(cluster, "ada")
    dag = "/api/v2/dags/payroll"
    now = datetime.now(UTC).isoformat()
    tried = {
        "trigger": await ask("POST /api/v2/dags/{dag_id}/dagRuns", f"{dag}/dagRuns", {"logical_date": now}),
        "note": await ask(
            "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}", f"{dag}/dagRuns/payroll_run", {"note": "seen"}
        ),
        "pause": await ask("PATCH /api/v2/dags/{dag_id}", dag, {"is_paused": True}),
    }

    assert {what for what, answer in tried.items() if answer.status_code == 200} == permitted
    assert {answer.status_code for answer in tried.values()} <= {200, 403}


async def test_a_dag_lets_in_by_role_and_by_user_name_and_is_open_again_without_access_control(
    cluster: Cluster,
) -> None:
    async def seen(username: str, access_control: Any) -> bool:
        await cluster.save(a_dag(a_task("t"), dag_id="x", presentation={"access_control": access_control}))
        ask = await asker(cluster, username)
        return (await ask("GET /api/v2/dags/{dag_id}", "/api/v2/dags/x")).status_code == 200

    assert not await seen("viewer", {})
    assert await seen("viewer", {"Viewer": ["can_read"]}) and not await seen("user", {"Viewer": ["can_read"]})
    assert await seen("user", {"user": ["can_read"]}) and not await seen("viewer", {"user": ["can_read"]})
    assert await seen("op", {}) and await seen("admin", {})
    assert await seen("viewer", None)


def test_a_route_that_nobody_listed_needs_the_permission_to_edit_the_dag() -> None:
    user = AccountRole.USER

    assert needed_permission("POST", "/api/v2/dags/{dag_id}/new", user) is DagPermission.EDIT
    assert needed_permission("POST", "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/new", user) is DagPermission.EDIT_RUNS
