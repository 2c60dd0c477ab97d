"""APIs that are killed in the middle of a request: the client repeats it elsewhere, and it is done once."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import pytest

from flowd.domain.states import RunState
from flowd.roles import bundle_archive
from tests.faults.conftest import StartTrial
from tests.faults.failpoints.door import doors_of
from tests.faults.failpoints.order import Action, Moment, Order
from tests.faults.harness.broken_messages import Interceptor
from tests.faults.harness.cluster import Cluster
from tests.faults.provocations import BACKFILLED, BACKFILLS
from tests.support.node_process import eventually

pytestmark = pytest.mark.timeout(1200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What brings an API to a door, with `{dag}` and `{run}` for those of a run whose tasks are running."""

    method: str
    path: str
    body: Mapping[str, object]
    dag_id: str = "journal_long"
    until: str = "SELECT 1 FROM task_instance WHERE state = 'running' HAVING COUNT(*) > 1"
    """When the run is ready for it."""
    is_once: bool = False
    """True where the second answer may be that it has been done, or that there is nothing of that name."""
    prepare: Callable[[Cluster, str], object] = lambda *_: ""
    """Makes, given the path of the run, what `{made}` in path and body names; or, as bytes, the body."""

    def ask(self, cluster: Cluster, name: str, run: str, made: object) -> httpx.Response:
        """Send it to a node."""
        dag_id, _, run_id = run.partition("/")
        path = self.path.format(dag=f"/api/v2/dags/{dag_id}", run=path_of(run), made=made)
        body = {
            key: made if value == "{made}" else value.format(run_id=run_id) if isinstance(value, str) else value
            for key, value in self.body.items()
        }
        if isinstance(made, bytes):
            return cluster[name].process.request(self.method, path, content=made)
        return cluster[name].process.request(self.method, path, json=body or None)


def path_of(run: str) -> str:
    """Return the path of a run that is named `dag_id/run_id`."""
    dag_id, _, run_id = run.partition("/")
    return f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"


def an_asset(cluster: Cluster, _run: str) -> int:
    """Return the number of the asset that the journal's DAGs change."""
    return int(cluster.api.get("/api/v2/assets", name_pattern="journal://changed")["assets"][0]["id"])


def a_queued_run(cluster: Cluster, _run: str) -> str:
    """Make a run of a paused DAG, which stays queued, and return its id, fit for a path."""
    return quote(cluster.api.post(f"/api/v2/dags/{IDLE}/dagRuns", {"logical_date": None})["dag_run_id"])


def an_idle_dag(cluster: Cluster, _run: str) -> str:
    """Return a DAG that nobody needs, once it is there."""
    eventually(lambda: cluster.api.request("GET", f"/api/v2/dags/{IDLE}").is_success, "the DAG to be back")
    return IDLE


def a_file(cluster: Cluster, _run: str) -> str:
    """Return the token of a DAG file."""
    return str(cluster.api.get("/api/v2/dags/journal_long")["file_token"])


def an_xcom(cluster: Cluster, run: str) -> str:
    """Leave an XCom at the task of a run."""
    cluster.api.post(f"{run}{TASK}/xcomEntries", {"key": "left", "value": 1})
    return "left"


def a_state(cluster: Cluster, run: str) -> str:
    """Let the task of a run keep a value."""
    assert cluster.api.request("PUT", f"{run}{TASK}/state-store/kept", json={"value": 1}).is_success
    return "kept"


def no_backfill(cluster: Cluster, _run: str = "") -> str:
    """Cancel the DAG's backfill, where one has not ended."""
    for one in cluster.api.get(BACKFILLS, dag_id=BACKFILLED, limit=100)["backfills"]:
        if one["completed_at"] is None:
            cluster.api.request("PUT", f"{BACKFILLS}/{one['id']}/cancel")
    return ""


def a_backfill(cluster: Cluster, _run: str) -> str:
    """Make a backfill with more runs than may run at a time, and return its number."""
    no_backfill(cluster)
    return str(cluster.api.post(BACKFILLS, {**BACKFILL, "reprocess_behavior": "completed"})["id"])


def a_worker(cluster: Cluster, _run: str) -> str:
    """Return the id of a worker."""
    return str(cluster.api.get("/api/v2/workers")["workers"][0]["id"])


def a_dead_letter(cluster: Cluster, _run: str) -> str:
    """Let a worker put a message aside, and return its id."""
    Interceptor(cluster.servers.wires, cluster.servers.rabbitmq.url, cluster.task_queue).put([b"junk"])
    path = "/api/v2/deadLetters"
    return str(eventually(lambda: cluster.api.get(path)["dead_letters"], "the junk to be put aside")[0]["id"])


def an_archive(_cluster: Cluster, _run: str) -> bytes:
    """Pack a folder with one DAG, other than every one before it."""
    return bundle_archive.pack({"pushed.py": PUSHED.format(doc=time.monotonic_ns()).encode()})


def a_plan(cluster: Cluster, run: str) -> str:
    """Plan a push, and return the hash of the plan."""
    answer = cluster.api.request("POST", f"{BUNDLE}/plans", content=an_archive(cluster, run))
    assert answer.is_success, answer.text
    return str(answer.json()["hash"])


def two_versions(cluster: Cluster, run: str) -> str:
    """Bring two versions into service, one after the other, so that there is one to go back to."""
    for _ in range(2):
        cluster.api.post(f"/api/v2/bundlePlans/{a_plan(cluster, run)}/apply", {})
    return ""


BUNDLE = "/api/v2/bundles/pushed"
PUSHED = """
from flowd import DAG, BashOperator

with DAG("journal_pushed", schedule=None, doc_md="{doc}"):
    BashOperator(task_id="nothing", bash_command="true")
"""
BACKFILL = {"dag_id": BACKFILLED, "from_date": "2019-01-01", "to_date": "2019-01-20", "max_active_runs": 2}
CLEAR = {"dry_run": False, "only_failed": False}
TASK = "/taskInstances/long_bash"
IDLE = "journal_idle"
REQUESTS: Mapping[str, Request] = {
    "backfill.create_backfill.": Request(
        method="POST", path=BACKFILLS, body=BACKFILL, is_once=True, prepare=no_backfill
    ),
    "backfill.pause_backfill.": Request(method="PUT", path=BACKFILLS + "/{made}/unpause", body={}, prepare=a_backfill),
    "backfill.cancel_backfill.": Request(
        method="PUT", path=BACKFILLS + "/{made}/cancel", body={}, is_once=True, prepare=a_backfill
    ),
    "backfill.fail_queued.": Request(
        method="PUT", path=BACKFILLS + "/{made}/cancel", body={}, is_once=True, prepare=a_backfill
    ),
    "clear_tasks.": Request(
        method="POST", path="{dag}/clearTaskInstances", body={**CLEAR, "dag_run_id": "{run_id}", "only_running": True}
    ),
    "mark.mark_tasks.": Request(method="PATCH", path="{run}/taskInstances/long_bash", body={"new_state": "success"}),
    "mark.cancel_tasks.": Request(method="POST", path="{run}/taskInstances/long_bash/cancel", body={}, is_once=True),
    "mark.mark_run.": Request(method="PATCH", path="{run}", body={"state": "failed"}),
    "pause_dag.": Request(method="PATCH", path="{dag}", body={"is_paused": False}),
    "answer_hitl.": Request(
        method="PATCH",
        path="{run}/taskInstances/asks/-1/hitlDetails",
        body={"chosen_options": ["Approve"]},
        dag_id="journal_person",
        until="SELECT 1 FROM task_instance WHERE state = 'deferred'",
        is_once=True,
    ),
    "dag_runs.patch_run.": Request(method="PATCH", path="{run}", body={"note": "seen"}),
    "dag_runs.clear_run.": Request(method="POST", path="{run}/clear", body={**CLEAR, "note": "seen"}),
    "task_changes.": Request(
        method="POST",
        path="{dag}/clearTaskInstances",
        body={**CLEAR, "dag_run_id": "{run_id}", "only_running": True, "note": "seen"},
    ),
    "task_patches.": Request(method="PATCH", path="{run}" + TASK, body={"note": "seen"}),
    "asset_changes.create_asset_event.": Request(
        method="POST", path="/api/v2/assets/events", body={"asset_id": "{made}"}, prepare=an_asset
    ),
    "asset_changes.forget_queued.": Request(
        method="DELETE", path="/api/v2/dags/journal_watched/assets/queuedEvents", body={}, is_once=True
    ),
    "delete.delete_run.": Request(
        method="DELETE",
        path=f"/api/v2/dags/{IDLE}/dagRuns/{{made}}",
        body={},
        is_once=True,
        prepare=a_queued_run,
    ),
    "delete.delete_some.": Request(
        method="DELETE", path="/api/v2/dags/{made}", body={}, is_once=True, prepare=an_idle_dag
    ),
    "push_bundle.plan_push.": Request(method="POST", path=f"{BUNDLE}/plans", body={}, prepare=an_archive),
    "push_bundle.plan_rollback.": Request(
        method="POST", path=f"{BUNDLE}/rollbackPlans", body={"version_number": None}, prepare=two_versions
    ),
    "push_bundle.apply_plan.": Request(method="POST", path="/api/v2/bundlePlans/{made}/apply", body={}, prepare=a_plan),
    "favorite_dag.": Request(method="POST", path="{dag}/favorite", body={}),
    "reparse_file.": Request(method="PUT", path="/api/v2/parseDagFile/{made}", body={}, is_once=True, prepare=a_file),
    "keep_state.keep_of_task.": Request(method="PUT", path="{run}" + TASK + "/state-store/kept", body={"value": 1}),
    "keep_state.change_of_task.": Request(
        method="PATCH", path="{run}" + TASK + "/state-store/{made}", body={"value": 2}, prepare=a_state
    ),
    "keep_state.forget_of_task.": Request(
        method="DELETE", path="{run}" + TASK + "/state-store/{made}", body={}, prepare=a_state
    ),
    "keep_state.keep_of_asset.": Request(
        method="PUT", path="/api/v2/assets/{made}/state-store/kept", body={"value": 1}, prepare=an_asset
    ),
    "keep_state.forget_of_asset.": Request(
        method="DELETE", path="/api/v2/assets/{made}/state-store/kept", body={}, prepare=an_asset
    ),
    "leave_xcom.create_xcom.": Request(
        method="POST", path="{run}" + TASK + "/xcomEntries", body={"key": "left", "value": 1}, is_once=True
    ),
    "leave_xcom.change_xcom.": Request(
        method="PATCH", path="{run}" + TASK + "/xcomEntries/{made}", body={"value": 2}, prepare=an_xcom
    ),
    "leave_xcom.delete_xcom.": Request(
        method="DELETE", path="{run}" + TASK + "/xcomEntries/{made}", body={}, is_once=True, prepare=an_xcom
    ),
    "workers.set_concurrency.": Request(
        method="PATCH", path="/api/v2/workers/{made}", body={"concurrency": 8}, prepare=a_worker
    ),
    "task_queues.set_queue_paused.": Request(method="PATCH", path="/api/v2/queues/idle", body={"is_paused": True}),
    "task_queues.note.": Request(
        method="DELETE", path="/api/v2/deadLetters/{made}", body={}, is_once=True, prepare=a_dead_letter
    ),
    "try_connection.": Request(
        method="POST",
        path="/api/v2/connections/test",
        body={"connection_id": "nobody-there", "conn_type": "http", "host": "127.0.0.1", "port": "{made}"},
        prepare=lambda *_: 1,
    ),
    "workers.set_draining.": Request(method="POST", path="/api/v2/workers/{made}/undrain", body={}, prepare=a_worker),
}
"""By the beginning of the door's name."""
PLACES = [(door, moment) for door in doors_of("api") for moment in Moment if door.startswith(tuple(REQUESTS))]


@pytest.mark.parametrize("moment", [pytest.param(Moment.BEFORE, marks=pytest.mark.soak), Moment.AFTER])
def test_an_api_that_dies_around_its_commit_makes_one_run(cluster: Cluster, trial: StartTrial, moment: Moment) -> None:
    with trial(f"SIGKILL of an API {moment.value} its commit, request repeated under its key") as it:
        cluster["master1"].order(Order(door="trigger_run.attempt.commit", action=Action.KILL, moment=moment))
        load = it.trigger(6)
        it.await_obeyed(cluster["master1"])

    assert len(set(load.runs)) == 6
    assert any(told.outcome == "unknown" for told in load.told)
    assert {cluster.ledger.run_states()[run] for run in load.runs} == {RunState.SUCCESS}


@pytest.mark.soak
@pytest.mark.parametrize(("door", "moment"), PLACES)
def test_a_request_that_an_api_has_died_of_may_be_repeated(
    cluster: Cluster, trial: StartTrial, door: str, moment: Moment
) -> None:
    request = next(one for beginning, one in REQUESTS.items() if door.startswith(beginning))
    with trial(f"SIGKILL of an API {moment.value} {door}, request repeated", may_fail=True) as it:
        load = it.trigger(1, [request.dag_id])
        it.await_answers()
        it.await_row(request.until, f"what {door} is about")
        (run,) = load.runs
        made = request.prepare(cluster, path_of(run))
        cluster["master1"].order(Order(door=door, action=Action.KILL, moment=moment))

        with pytest.raises(httpx.HTTPError):
            request.ask(cluster, "master1", run, made)
        it.await_obeyed(cluster["master1"])
        repeated = request.ask(cluster, "master2", run, made)

    assert repeated.is_success or (request.is_once and repeated.status_code in (404, 409)), repeated.text
