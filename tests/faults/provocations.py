"""What brings a node to each of its doors, by the beginning of the door's name."""

from collections.abc import Callable, Mapping

from tests.faults.bombs import HEADER, HEAVY_BYTES
from tests.faults.failpoints.order import Action, Moment, Order
from tests.faults.harness.broken_messages import Interceptor
from tests.faults.harness.trial import Trial

Provocation = Callable[[Trial], None]

SCHEDULED = "journal_scheduled"


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
    trial.trigger(6, ["journal_long"])
    trial.await_begun(8)
    trial.cluster["worker2"].kill()
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
    path = f"/api/v2/dags/{SCHEDULED}"
    trial.cluster.api.request("PATCH", path, json={"is_paused": False})
    trial.on_heal(lambda: trial.cluster.api.request("PATCH", path, json={"is_paused": True}))


def a_timetable(trial: Trial) -> None:
    """A DAG that is due every second by a timetable of its author's."""
    trial.trigger(2)
    path = "/api/v2/dags/journal_timetable"
    trial.cluster.api.request("PATCH", path, json={"is_paused": False})
    trial.on_heal(lambda: trial.cluster.api.request("PATCH", path, json={"is_paused": True}))


def a_deadline(trial: Trial) -> None:
    """Runs that take longer than they should."""
    trial.trigger(2, ["journal_deadline"])


def a_trigger(trial: Trial) -> None:
    """Tasks that wait for a trigger of their author's."""
    trial.trigger(4, ["journal_deferred"])


def a_worker_that_is_told_to_stop(trial: Trial) -> None:
    """A worker that hands over the triggers that it runs."""
    trial.trigger(4, ["journal_deferred"])
    trial.await_row("SELECT 1 FROM task_instance WHERE state = 'deferred'", "a deferred task")
    process = trial.cluster["worker1"].process.process
    assert process is not None
    process.terminate()


def a_cleared_task(trial: Trial) -> None:
    """A task that is cleared while it runs."""
    load = trial.trigger(4, ["journal_long"])
    trial.await_begun(8)
    for run in load.runs:
        dag_id, _, run_id = run.partition("/")
        body = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "only_running": True}
        trial.cluster.api.post(f"/api/v2/dags/{dag_id}/clearTaskInstances", body)
    trial.note("cleared running tasks")


def a_cleared_task_of_a_dead_worker(trial: Trial) -> None:
    """A task that is cleared while it runs, and whose worker is no more to say that it is dead."""
    a_cleared_task(trial)
    trial.cluster["worker1"].kill()
    trial.cluster["worker2"].kill()
    trial.cluster["worker1"].process.launch()


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
    """Tasks that push XComs and set variables."""
    trial.trigger(3, ["journal_asking"])


PROVOCATIONS: Mapping[str, Provocation] = {
    "asset_run_creator.": an_asset_event,
    "dag_sync.tell_of_folder": a_folder_too_large,
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
    "timetable_asker.": a_timetable,
    "triggerer.hand_over.": a_worker_that_is_told_to_stop,
    "triggerer.": a_trigger,
    "wait_ender.step": a_cleared_task_of_a_dead_worker,
    "wait_ender.end_waits": work,
    "claimer.give_up": a_drain_in_the_middle_of_a_claim,
    "claimer.": work,
    "heartbeat.": work,
    "reporter.release": a_cleared_task,
    "reporter.write": work,
    "succession.": a_restarted_worker,
    "worker.succeed": a_restarted_worker,
    "task_requests.": a_task_that_asks,
    "delivery.dead_letter": junk,
    "delivery.": work,
    "spool.": work,
    "keeper.": work,
}
