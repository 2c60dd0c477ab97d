"""Every route that changes something leaves an event in the audit log, with what was before and what is after.

The routes are the app's own, so that a new one is asked as well.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from flowd.api.access import ACCESS
from flowd.api.dashboard.guard import COOKIE
from flowd.db.accounts import Accounts
from flowd.db.api_tokens import ApiTokens
from flowd.domain.ids import DagId
from flowd.domain.timetable import CronTriggerTimetable
from flowd.roles.bundle_archive import pack
from flowd.security.account_role import AccountRole
from tests.api.cluster import PASSWORD, Cluster
from tests.api.test_dag_access import JANUARY, RUN, TASK, filled, payroll
from tests.api.test_hitl import asking
from tests.api.test_workers import WORKER, hello
from tests.support.specs import a_dag, a_task

__all__ = ["payroll"]

WRITES = ("POST", "PUT", "PATCH", "DELETE")
_DAG = "/api/v2/dags/{dag_id}"
_RUN = f"{_DAG}/dagRuns/{{dag_run_id}}"
_TASK = f"{_RUN}/taskInstances/{{task_id}}"
_ASSET = "/api/v2/assets/{asset_id}"
NOT_HERE = {
    # They only look.
    f"POST {_DAG}/dagRuns/list",
    f"POST {_RUN}/taskInstances/list",
    "POST /api/v2/backfills/dry_run",
    f"PATCH {_RUN}/taskGroupInstances/{{group_id}}/dry_run",
    f"PATCH {_TASK}/dry_run",
    f"PATCH {_TASK}/{{map_index}}/dry_run",
    # It is refused unless the settings allow it: test_connection_tests.py.
    "POST /api/v2/connections/test",
    # They are always refused.
    f"POST {_DAG}/clearPartitions",
    f"DELETE {_TASK}",
    "POST /api/v2/connections/enqueue-test",
    "POST /api/v2/connections/defaults",
    # The same as one of its tasks; the cluster of this test has no group.
    f"PATCH {_RUN}/taskGroupInstances/{{group_id}}",
    # They do what the calls for one do, where a hash of what was looked at is shown: test_by_filter.py.
    f"POST {_DAG}/dagRuns/byFilter",
    f"POST {_RUN}/taskInstances/byFilter",
    # There are none without a broker: test_task_queues.py.
    "POST /api/v2/deadLetters/{dead_letter_id}/retry",
    "DELETE /api/v2/deadLetters/{dead_letter_id}",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """What is sent: a body, or the fields of a form, to a path with these names in it."""

    body: Any = None
    of: Mapping[str, str] = field(default_factory=dict)


AN_ARCHIVE = pack({"pushed.py": b'from flowd import DAG\n\nwith DAG("pushed", schedule=None):\n    pass\n'})
EMPTY = a_dag(a_task("t"), dag_id="empty", file="empty.py", timetable=CronTriggerTimetable("0 0 * * *", "UTC"))
ASKED = {"dag_id": "etl", "dag_run_id": "one", "run_id": "one", "task_id": "extract"}
KEPT = {"key": "kept"}
ADA = {"username": "ada"}
CI = {"username": "ada", "token_name": "ci"}
MINE = {"name": "new", "role": "Viewer", "lifetime_seconds": 60}
FORM = {"name": "new", "role": "Viewer", "lifetime": "1d"}
ASKS: Mapping[str, Ask] = {
    f"DELETE {_DAG}": Ask(of={"dag_id": "empty"}),
    f"DELETE {_RUN}": Ask(of={"dag_run_id": "payroll_queued"}),
    f"DELETE {_ASSET}/state-store/{{key:path}}": Ask(of=KEPT),
    f"DELETE {_TASK}/state-store/{{key:path}}": Ask(of=KEPT),
    f"PATCH {_TASK}/state-store/{{key:path}}": Ask({"value": 2}, KEPT),
    f"PUT {_TASK}/state-store/{{key:path}}": Ask({"value": 2}),
    f"PUT {_ASSET}/state-store/{{key:path}}": Ask({"value": 2}),
    f"PATCH {_TASK}/xcomEntries/{{xcom_key:path}}": Ask({"value": 2}),
    f"POST {_TASK}/xcomEntries": Ask({"key": "left", "value": 1}),
    "PUT /api/v2/backfills/{backfill_id}/unpause": Ask(of={"backfill_id": "2"}),
    "PATCH /api/v2/dags": Ask({"is_paused": True}),
    f"PATCH {_DAG}": Ask({"is_paused": True}),
    f"PATCH {_DAG}/dagRuns": Ask({"actions": [{"action": "update", "entities": [{**RUN, "state": "failed"}]}]}),
    f"PATCH {_RUN}": Ask({"state": "failed"}),
    f"PATCH {_RUN}/taskInstances": Ask(
        {"actions": [{"action": "update", "entities": [{**TASK, "new_state": "failed"}]}]}
    ),
    f"PATCH {_TASK}": Ask({"note": "seen"}),
    f"POST {_TASK}/cancel": Ask(of={"task_id": "tell"}),
    f"PATCH {_TASK}/{{map_index}}": Ask({"new_state": "failed"}),
    f"PATCH {_TASK}/{{map_index}}/hitlDetails": Ask({"chosen_options": ["yes"], "params_input": {"rows": 1}}, ASKED),
    f"POST {_DAG}/clearDagRuns": Ask({"dag_runs": [RUN], "dry_run": False, "only_failed": False}),
    f"POST {_DAG}/clearTaskInstances": Ask({"dry_run": False, "only_failed": False, "dag_run_id": "payroll_run"}),
    f"POST {_DAG}/dagRuns": Ask({"logical_date": None}),
    f"POST {_RUN}/clear": Ask({"dry_run": False, "only_failed": False}),
    f"POST {_DAG}/unfavorite": Ask(of={"dag_id": "etl"}),
    "POST /api/v2/assets/events": Ask({"asset_id": 1}),
    f"POST {_ASSET}/materialize": Ask({}),
    "POST /api/v2/backfills": Ask({**JANUARY, "dag_id": "empty"}),
    "PATCH /api/v2/connections": Ask({"actions": [{"action": "delete", "entities": ["known"]}]}),
    "PATCH /api/v2/variables": Ask({"actions": [{"action": "delete", "entities": ["known"]}]}),
    "PATCH /api/v2/pools": Ask({"actions": [{"action": "delete", "entities": ["known"]}]}),
    "POST /api/v2/connections": Ask({"connection_id": "c", "conn_type": "http"}),
    "POST /api/v2/variables": Ask({"key": "v", "value": "1"}),
    "POST /api/v2/pools": Ask({"name": "p", "slots": 1}),
    "PATCH /api/v2/connections/{connection_id}": Ask({"connection_id": "known", "conn_type": "ftp"}),
    "PATCH /api/v2/variables/{variable_key:path}": Ask({"key": "known", "value": "2"}),
    "PATCH /api/v2/pools/{pool_name:path}": Ask({"pool": "known", "slots": 2, "include_deferred": True}),
    "POST /api/v2/bundles/{bundle_name}/plans": Ask(AN_ARCHIVE),
    "POST /api/v2/bundles/{bundle_name}/rollbackPlans": Ask({"version_number": 1}),
    "POST /api/v2/webhooks": Ask({"name": "new", "dag_id": "etl"}),
    "POST /api/v2/webhooks/{webhook_name}/rotate": Ask({}),
    "POST /pools": Ask({"name": "p", "slots": "1"}),
    "POST /pools/change": Ask({"name": "known", "slots": "2"}),
    "POST /pools/delete": Ask({"name": "known"}),
    "PATCH /api/v2/queues/{queue_name:path}": Ask({"is_paused": True}),
    "PATCH /api/v2/workers/{worker_id}": Ask({"concurrency": 2}),
    "PATCH /api/v2/users/{username}": Ask({"role": "Op"}),
    "POST /api/v2/users": Ask({"username": "bob", "role": "User"}),
    "POST /api/v2/tokens": Ask({"username": "ada", **MINE}),
    "DELETE /api/v2/tokens/{username}/{token_name}": Ask(of=CI),
    "POST /api/v2/me/tokens": Ask(MINE),
    "DELETE /api/v2/me/tokens/{token_name}": Ask(of={"token_name": "own"}),
    "PUT /api/v2/me/password": Ask({"old_password": PASSWORD, "new_password": "new"}),
    "POST /account/password": Ask({"old_password": PASSWORD, "new_password": "new"}),
    "POST /account/tokens": Ask(FORM),
    "POST /account/tokens/revoke": Ask({"name": "own"}),
    "POST /users": Ask({"username": "bob", "role": "User"}),
    "POST /users/{username}": Ask({"role": "Op"}),
    "POST /users/{username}/password": Ask({"password": "new"}),
    "POST /users/{username}/tokens": Ask(FORM),
    "POST /users/{username}/tokens/revoke": Ask({"name": "ci"}),
    "POST /dags/{dag_id}/favorite": Ask({"is_favorite": "true"}),
    "POST /dags/{dag_id}/pause": Ask({"is_paused": "true"}),
    "POST /dags/{dag_id}/runs/{run_id}/clear": Ask({"only_failed": "false"}),
    "POST /dags/{dag_id}/runs/{run_id}/tasks/{task_id}/cancel": Ask(of=ASKED),
    "POST /dags/{dag_id}/runs/{run_id}/tasks/{task_id}/answer": Ask({"option": "yes", "param:rows": "1"}, ASKED),
}


CHANGES = sorted(
    name for name in ACCESS if name.startswith(WRITES) and name not in NOT_HERE and ("/api/v2" in name or name in ASKS)
)
"""Those of /api/v1, and pages that are not named above, do what they do by the functions of these."""


@pytest.fixture
async def names(cluster: Cluster, payroll: Mapping[str, str]) -> Mapping[str, str]:
    """A cluster with one of everything, and the names of it in paths."""
    admin = cluster.clients[AccountRole.ADMIN]
    await cluster.save(EMPTY)
    await cluster.save(replace(EMPTY, dag_id=DagId("other"), file="other.py"))
    await asking(cluster)
    await hello(cluster, WORKER)
    accounts, tokens = Accounts(cluster.metastore), ApiTokens(cluster.metastore)
    await accounts.create("ada", AccountRole.USER, None)
    lifetime = cluster.settings.security.token_lifetime
    for owner, name in (("ada", "ci"), ("admin", "own")):
        await tokens.create(owner, name, lifetime)
    for method, path, body in (
        ("POST", "/variables", {"key": "known", "value": "1"}),
        ("POST", "/connections", {"connection_id": "known", "conn_type": "http"}),
        ("POST", "/pools", {"name": "known", "slots": 1}),
        ("POST", "/webhooks", {"name": "known", "dag_id": "etl"}),
        ("POST", "/dags/etl/favorite", None),
        ("POST", "/backfills", {**JANUARY, "dag_id": "other"}),
        ("PUT", "/backfills/2/pause", None),
        ("PUT", f"/assets/{payroll['asset_id']}/state-store/kept", {"value": 1}),
        ("PUT", "/dags/payroll/dagRuns/payroll_run/taskInstances/pay/state-store/kept", {"value": 1}),
    ):
        assert (await admin.request(method, f"/api/v2{path}", json=body)).is_success, path
    plans = "/api/v2/bundles/known/plans"
    for content in (AN_ARCHIVE, pack({}), pack({"read.me": b"read"})):
        plan = (await admin.post(plans, content=content)).json()["hash"]
        if content != pack({"read.me": b"read"}):
            assert (await admin.post(f"/api/v2/bundlePlans/{plan}/apply")).is_success
    known = dict.fromkeys(("variable_key", "connection_id", "pool_name", "webhook_name", "bundle_name"), "known")
    return {**payroll, **known, **CI, "worker_id": WORKER.id, "queue_name": "default", "plan_hash": plan}


async def sent(cluster: Cluster, name: str, path: str, body: Any) -> int:
    """The status of the answer to an Admin, who has a session for pages and a token for the rest."""
    method = name.split(" ")[0]
    if "/api/v2" in path:
        sending = {"content": body} if isinstance(body, bytes) else {"json": body}
        return (await cluster.clients[AccountRole.ADMIN].request(method, path, **sending)).status_code
    sessions = cluster.app.state.context.sessions
    cookie = await sessions.begin("admin")
    form = {**(body or {}), "csrf": (await sessions.find(cookie)).csrf_token}
    answer = await cluster.anonymous.request(method, path, data=form, headers={"Cookie": f"{COOKIE}={cookie}"})
    return answer.status_code


async def events(cluster: Cluster) -> list[tuple[str, str, Any]]:
    async with cluster.metastore.reading() as tx:
        rows = await tx.execute("SELECT event, owner, extra FROM audit_event ORDER BY id")
        return [(event, owner, json.loads(extra).get("changes", [])) for event, owner, extra in rows]


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_leaves_an_event(cluster: Cluster, names: Mapping[str, str], name: str) -> None:
    if "password" in name:
        await Accounts(cluster.metastore).set_password("admin", PASSWORD)
        cluster.clients[AccountRole.ADMIN].headers["Authorization"] = f"Bearer {await an_access_token(cluster)}"
    ask, before = ASKS.get(name, Ask()), await events(cluster)

    status = await sent(cluster, name, filled(name.split(" ")[1], {**names, **ask.of}), ask.body)

    assert status in (200, 201, 204, 303), name
    left = [one for one in (await events(cluster))[len(before) :] if not one[0].startswith("login")]
    assert left, f"{name} leaves nothing in the audit log"
    assert {owner for _, owner, _ in left} == {"admin"}
    told = [change for _, _, changes in left for change in changes]
    assert told, f"{name} does not tell what was before and after"
    assert all(change["before"] is not None or change["after"] is not None for change in told)


async def an_access_token(cluster: Cluster) -> str:
    body = {"username": "admin", "password": PASSWORD}
    return str((await cluster.anonymous.post("/auth/token", json=body)).json()["access_token"])
