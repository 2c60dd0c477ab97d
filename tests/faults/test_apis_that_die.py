"""APIs that are killed in the middle of a request: the client repeats it elsewhere, and it is done once."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import pytest

from flowd.domain.states import RunState
from tests.faults.conftest import StartTrial
from tests.faults.failpoints.door import doors_of
from tests.faults.failpoints.order import Action, Moment, Order
from tests.faults.harness.cluster import Cluster

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
    """True where the second answer may be that it has been done."""

    def ask(self, cluster: Cluster, name: str, run: str) -> httpx.Response:
        """Send it to a node."""
        dag_id, _, run_id = run.partition("/")
        path = self.path.format(dag=f"/api/v2/dags/{dag_id}", run=f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")
        body = {
            key: value.format(run_id=run_id) if isinstance(value, str) else value for key, value in self.body.items()
        }
        return cluster[name].process.request(self.method, path, json=body)


CLEAR = {"dry_run": False, "only_failed": False}
REQUESTS: Mapping[str, Request] = {
    "clear_tasks.": Request(
        method="POST", path="{dag}/clearTaskInstances", body={**CLEAR, "dag_run_id": "{run_id}", "only_running": True}
    ),
    "mark.mark_tasks.": Request(method="PATCH", path="{run}/taskInstances/long_bash", body={"new_state": "success"}),
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
    "dag_runs.patch_dag_run.": Request(method="PATCH", path="{run}", body={"note": "seen"}),
    "dag_runs.clear_dag_run.": Request(method="POST", path="{run}/clear", body={**CLEAR, "note": "seen"}),
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
        cluster["master1"].order(Order(door=door, action=Action.KILL, moment=moment))

        with pytest.raises(httpx.HTTPError):
            request.ask(cluster, "master1", run)
        it.await_obeyed(cluster["master1"])
        repeated = request.ask(cluster, "master2", run)

    assert repeated.is_success or (request.is_once and repeated.status_code == 409), repeated.text
