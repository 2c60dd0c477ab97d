"""What brings a node to each of its doors, by the beginning of the door's name."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx

from tests.faults.bombs import HEADER, HEAVY_BYTES
from tests.faults.failpoints.order import Action, Moment, Order
from tests.faults.harness.broken_messages import Interceptor
from tests.faults.harness.load import Told
from tests.faults.harness.trial import Trial
from tests.support.node_process import eventually

Provocation = Callable[[Trial], None]

SCHEDULED, TIMETABLE = "journal_scheduled", "journal_timetable"
BACKFILLED, BACKFILLS = "journal_backfill", "/api/v2/backfills"


def work(trial: Trial) -> None:
    """Runs of every kind."""
    trial.trigger(10)


def a_new_dag_file(trial: Trial) -> None:
    """A file that the schedulers have not seen."""
    trial.trigger(2)
    name = f"new_{trial.seed}_{len(list(trial.cluster.dags.iterdir()))}"
    (trial.cluster.dags / f"{name}.py").write_text(
        f"from airflow import DAG\nfrom datetime import datetime\nDAG('{name}', start_date=datetime(2024, 1, 1))\n"
    )


def a_file_to_parse_again(trial: Trial) -> None:
    """A file that a person wants parsed, though it has not changed."""
    trial.trigger(2)
    token = trial.cluster.api.get("/api/v2/dags/journal_long")["file_token"]
    assert trial.cluster.api.request("PUT", f"/api/v2/parseDagFile/{token}").is_success


def a_folder_too_large(trial: Trial) -> None:
    """A DAG folder that cannot be taken."""
    trial.trigger(2)
    heavy = trial.cluster.dags / "heavy.py"
    trial.on_heal(lambda: heavy.unlink(missing_ok=True))
    with open(heavy, "wb") as file:
        file.write(HEADER.encode())
        file.truncate(HEAVY_BYTES)


def lost_messages(trial: Trial) -> None:
    """Messages that the schedulers believe the broker has."""
    for member in trial.cluster.members.values():
        if "scheduler" in member.process.roles:
            lost = Order(door="dispatcher.publish.publish", action=Action.DROP, every=2)
            member.order(*member.book.read(), lost)
    trial.trigger(10)


def a_dead_worker(trial: Trial) -> None:
    """A worker that dies with what it runs."""
    member = trial.cluster["worker2"]
    assert member.process.process is not None
    # More than one worker takes at a time: the other one must not have them all.
    trial.trigger(12, ["journal_long"])
    trial.await_row(
        f"SELECT 1 FROM task_instance WHERE state = 'running' AND worker LIKE '%/{member.process.process.pid}-%'",
        "a task that runs on worker2",
    )
    member.kill()
    trial.note("SIGKILL of worker2")


def a_restarted_worker(trial: Trial) -> None:
    """A worker that dies, and is started again on the same host."""
    member = trial.cluster["worker2"]
    process, orders = member.process, member.book.read()
    before = process.environ

    def back() -> None:
        process.environ = before

    # Its leases last: whoever starts slowly would come too late, and find its tries rescued.
    process.environ = {**before, "FLOWD__WORKER__LEASE": "60s"}
    trial.on_heal(back)
    process.kill()
    member.order()  # it is to die at its next start, not at this one
    process.start()
    member.order(*orders)
    a_dead_worker(trial)
    process.launch()


def a_value_to_sweep(trial: Trial) -> None:
    """A worker that is started where a stored XCom is referred to by nothing."""
    trial.trigger(2)
    member = trial.cluster["worker2"]
    process, before = member.process, member.process.environ
    store = trial.cluster.dags.parent / "xcoms"
    store.mkdir(exist_ok=True)
    name = f"{trial.seed}-{len(trial.faults)}"
    (store / f"{name}.json").write_text("1")

    def back() -> None:
        process.environ = before

    trial.on_heal(back)
    process.environ = {**before, "FLOWD__XCOM__STORE": f"file://{store}"}
    process.kill()
    trial.cluster.ledger.change(
        "INSERT INTO stored_value (name, url, instance, xcom, at) VALUES (:name, :url, 0, 'return_value', 0)",
        name=name,
        url=f"file://{store}/{name}.json",
    )
    process.launch()


def a_callback(trial: Trial) -> None:
    """A run whose DAG wants to be told of its end."""
    trial.trigger(3, ["journal_callback"])


def an_asset_event(trial: Trial) -> None:
    """Tasks that change an asset for which another DAG waits."""
    trial.trigger(3, ["journal_outlet"])


def a_dag_that_fails(trial: Trial) -> None:
    """A run after whose failure its DAG is to be paused."""
    trial.cluster.api.request("PATCH", "/api/v2/dags/journal_failing", json={"is_paused": False})
    trial.may_fail = True
    trial.trigger(1, ["journal_failing"])


def a_schedule(trial: Trial) -> None:
    """A DAG that is due every second."""
    trial.trigger(2)
    _unpause_for_a_while(trial, SCHEDULED)


def a_timetable(trial: Trial) -> None:
    """A DAG that is due every second by a timetable of its author's."""
    trial.trigger(2)
    _unpause_for_a_while(trial, TIMETABLE)


def a_dated_run_of_a_timetable(trial: Trial) -> None:
    """A run for a date, about which the timetable of its DAG's author is to be asked."""
    a_timetable(trial)
    path = f"/api/v2/dags/{TIMETABLE}/dagRuns"
    date = datetime(2001, 1, 1, tzinfo=UTC) + timedelta(days=trial.cluster.api.get(path)["total_entries"])
    key, body = f"dated-{trial.seed}-{date:%Y%m%d}", {"logical_date": date.isoformat()}
    made = trial.cluster.api.request("POST", path, json=body, headers={"Idempotency-Key": key}).json()
    told = Told(outcome="ok", at_ns=time.monotonic_ns(), key=key, dag_id=TIMETABLE, run_id=made["dag_run_id"])
    with open(trial.cluster.requests, "a") as journal:
        journal.write(told.line)


def a_watched_asset(trial: Trial) -> None:
    """A DAG that is scheduled by an asset which a trigger watches."""
    trial.trigger(2)
    _unpause_for_a_while(trial, "journal_watched")


def _unpause_for_a_while(trial: Trial, dag_id: str) -> None:
    path, api = f"/api/v2/dags/{dag_id}", trial.cluster.api

    def live() -> list[str]:
        found = api.get(f"{path}/dagRuns", state=["queued", "running"])["dag_runs"]
        return [run["dag_run_id"] for run in found]

    def end() -> None:
        """Pause it, and fail what it leaves: a queued run of a paused DAG would wait until somebody unpauses it."""
        api.request("PATCH", path, json={"is_paused": True})
        while runs := live():
            for run_id in runs:
                api.request("PATCH", f"{path}/dagRuns/{quote(run_id)}", json={"state": "failed"})

    api.request("PATCH", path, json={"is_paused": False})
    trial.on_heal(end)


def a_backfill(trial: Trial) -> None:
    """A backfill that makes runs, and runs again some that an earlier one has made."""
    trial.trigger(2)
    api, day = trial.cluster.api, timedelta(days=1)
    earlier = api.get(BACKFILLS, dag_id=BACKFILLED)["total_entries"]
    first = datetime(2020, 1, 1, tzinfo=UTC) + 3 * earlier * day
    body = {"dag_id": BACKFILLED, "from_date": first.isoformat(), "to_date": (first + 5 * day).isoformat()}
    path = f"{BACKFILLS}/{api.post(BACKFILLS, {**body, 'reprocess_behavior': 'completed'})['id']}"

    def has_ended() -> bool:
        return trial.cluster.api.get(path)["completed_at"] is not None

    trial.on_heal(lambda: eventually(has_ended, "the backfill to end"))


def a_deadline(trial: Trial) -> None:
    """Runs that take longer than they should."""
    trial.trigger(2, ["journal_deadline"])


def a_trigger(trial: Trial) -> None:
    """Tasks that wait for a trigger of their author's."""
    trial.trigger(4, ["journal_deferred"])


def triggers_of_both_kinds(trial: Trial) -> None:
    """Tasks that wait for a trigger, and a watcher of an asset: both are held in the same way."""
    a_trigger(trial)
    a_watched_asset(trial)


def a_worker_that_is_told_to_stop(trial: Trial) -> None:
    """A worker that hands over the triggers that it runs."""
    trial.trigger(4, ["journal_deferred"])
    trial.await_row("SELECT 1 FROM task_instance WHERE state = 'deferred'", "a deferred task")
    process = trial.cluster["worker1"].process.process
    assert process is not None
    process.terminate()


def a_cleared_task(trial: Trial) -> None:
    """A task that is cleared while it runs."""
    cleared, begun = 0, 0
    while not cleared:  # on a busy machine all may have ended before they can be cleared
        load = trial.trigger(4, ["journal_long"])
        begun += 8
        trial.await_begun(begun)
        for run in load.runs:
            dag_id, _, run_id = run.partition("/")
            body = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "only_running": True}
            cleared += _post_to_any(trial, f"/api/v2/dags/{dag_id}/clearTaskInstances", body)["total_entries"]
    trial.note("cleared running tasks")


def _post_to_any(trial: Trial, path: str, body: object) -> Any:
    """Return what an API answers, another one where the first has died of an order meanwhile."""

    def answer() -> httpx.Response | None:
        try:
            found = trial.cluster.api.request("POST", path, json=body)
        except httpx.TransportError:
            return None
        return found if found.is_success else None

    found = eventually(answer, f"an answer to POST {path}")
    assert found is not None
    return found.json()


def a_cleared_task_of_a_dead_worker(trial: Trial) -> None:
    """A task that is cleared while it runs, and whose worker dies as it is about to say that the process is dead."""
    workers = [one for one in trial.cluster.members.values() if "worker" in one.process.roles]
    for member in workers:
        member.order(Order(door="reporter.release.attempt.commit", action=Action.KILL, moment=Moment.BEFORE))
    a_cleared_task(trial)
    trial.await_obeyed(*workers, action=Action.KILL)


def a_drain_in_the_middle_of_a_claim(trial: Trial) -> None:
    """A worker that is told to stop while the ledger's answer to its claim is under way."""
    workers = [one for one in trial.cluster.members.values() if "worker" in one.process.roles]
    slow = Order(door="claimer.claim.commit", action=Action.DELAY, moment=Moment.AFTER, every=1, seconds=2)
    for member in workers:
        member.order(*member.book.read(), slow)
    trial.trigger(4)
    member = trial.await_obeyed(*workers, action=Action.DELAY)
    assert member.process.process is not None
    member.process.process.terminate()


def junk(trial: Trial) -> None:
    """Messages that nobody can read."""
    trial.trigger(2)
    servers = trial.cluster.servers
    Interceptor(servers.wires, servers.rabbitmq.url, trial.cluster.task_queue).put([b"junk"] * 3)


def a_task_that_asks(trial: Trial) -> None:
    """Tasks that push XComs, set variables and keep state."""
    trial.trigger(3, ["journal_asking"])


def a_question_without_an_answer(trial: Trial) -> None:
    """Tasks that ask a person, and take their defaults when nobody answers."""
    trial.trigger(3, ["journal_unanswered"])


def a_task_that_triggers(trial: Trial) -> None:
    """Tasks that trigger runs of another DAG."""
    trial.trigger(3, ["journal_triggering"])


PROVOCATIONS: Mapping[str, Provocation] = {
    "asset_run_creator.": an_asset_event,
    "backfill_planner.": a_backfill,
    "backfill_runner.": a_backfill,
    "dag_sync.tell_of_folder": a_folder_too_large,
    "dag_sync.notice.": a_file_to_parse_again,
    "dag_sync.": a_new_dag_file,
    "deadline_watcher.": a_deadline,
    "dispatch_recorder.": lost_messages,
    "dispatcher.": work,
    "redeliverer.": lost_messages,
    "rescuer.": a_dead_worker,
    "run_advancer.pause_failing.": a_dag_that_fails,
    "run_advancer.": work,
    "run_callbacks.": a_callback,
    "run_creator.": a_schedule,
    "timetable_asker.give_interval.": a_dated_run_of_a_timetable,
    "timetable_asker.": a_timetable,
    "asset_watch.": a_watched_asset,
    "trigger_holder.hand_over.": a_worker_that_is_told_to_stop,
    "trigger_holder.": triggers_of_both_kinds,
    "triggerer.": a_trigger,
    "wait_ender.step": a_cleared_task_of_a_dead_worker,
    "wait_ender.end_waits": work,
    "claimer.give_up": a_drain_in_the_middle_of_a_claim,
    "claimer.": work,
    "heartbeat.": work,
    "reporter.release": a_cleared_task,
    "reporter.write": work,
    "store_sweeper.": a_value_to_sweep,
    "succession.": a_restarted_worker,
    "worker.succeed": a_restarted_worker,
    "task_requests.asset_state_delete.": a_task_that_asks,
    "task_requests.asset_state_set.": a_task_that_asks,
    "task_requests.hitl_ask.": a_question_without_an_answer,
    "task_requests.hitl_timed_out.": a_question_without_an_answer,
    "task_requests.rendered.": a_task_that_asks,
    "task_requests.task_state_delete.": a_task_that_asks,
    "task_requests.task_state_set.": a_task_that_asks,
    "task_requests.trigger_dag_run.": a_task_that_triggers,
    "task_requests.variable_delete.": a_task_that_asks,
    "task_requests.variable_set.": a_task_that_asks,
    "task_requests.xcom_push.": a_task_that_asks,
    "delivery.dead_letter": junk,
    "delivery.": work,
    "spool.": work,
    "keeper.": work,
}
