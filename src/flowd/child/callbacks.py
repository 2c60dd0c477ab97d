"""Entry point of a process that calls a DAG's `on_success_callback` or `on_failure_callback` when a run has ended."""

from collections.abc import Mapping
from typing import Any

from flowd.child.channel import Channel
from flowd.child.supervision import kept
from flowd.child.task_log import log_to_stdout
from flowd.domain.assignment import run_from_json
from flowd.domain.ids import DagId, RunId
from flowd.sdk.callbacks import call_all
from flowd.sdk.context import context_of_run, executing_in
from flowd.sdk.dag_file import load
from flowd.sdk.dag_run import RunningDagRun
from flowd.sdk.exceptions import AirflowNotFoundException


def main(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Call the callbacks of `payload["dag_id"]` in `payload["file"]` of the bundle at `payload["bundle_root"]`.

    `payload["state"]` (success or failed) chooses them; `run_id`, `run` (as in an assignment) and `reason` are in the
    context they get. What a callback raises is logged. The result is empty, and is sent when all were called.
    """
    log_to_stdout()
    state = payload["state"]
    with kept(channel):
        dag = next(
            (dag for dag in load(payload["bundle_root"], payload["file"]) if dag.dag_id == payload["dag_id"]), None
        )
        if dag is None:
            raise AirflowNotFoundException(f"{payload['file']} defines no DAG {payload['dag_id']!r}")
        run = run_from_json(payload["run"])
        dag_run = RunningDagRun(DagId(dag.dag_id), RunId(payload["run_id"]), run, state=state)
        context = context_of_run(dag, dag_run, run)
        context["reason"] = payload.get("reason")
        with executing_in(context):
            call_all(dag, "on_success_callback" if state == "success" else "on_failure_callback", context)
    channel.send_result({})
