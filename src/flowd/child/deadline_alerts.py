"""Entry point of a process that calls a DAG's callbacks for deadlines that a run has missed."""

import asyncio
import importlib
import inspect
import logging
from collections.abc import Mapping
from typing import Any

from flowd.child.channel import Channel
from flowd.child.supervision import kept
from flowd.child.task_log import log_to_stdout
from flowd.domain.assignment import run_from_json
from flowd.domain.ids import DagId, RunId
from flowd.operators.call_arguments import arguments_for
from flowd.sdk.context import context_of_run, executing_in
from flowd.sdk.dag_file import load
from flowd.sdk.dag_run import RunningDagRun
from flowd.sdk.deadline import DeadlineAlert, alerts_of
from flowd.sdk.exceptions import AirflowNotFoundException

log = logging.getLogger(__name__)


def main(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Call the callbacks of the alerts at `payload["places"]` of the DAG's, each with the context of the run.

    What one raises is logged, and the next is called all the same. The result is empty.
    """
    log_to_stdout()
    with kept(channel):
        dag = next(
            (dag for dag in load(payload["bundle_root"], payload["file"]) if dag.dag_id == payload["dag_id"]), None
        )
        if dag is None:
            raise AirflowNotFoundException(f"{payload['file']} defines no DAG {payload['dag_id']!r}")
        run = run_from_json(payload["run"])
        dag_run = RunningDagRun(DagId(dag.dag_id), RunId(payload["run_id"]), run, state=payload["state"])
        context = context_of_run(dag, dag_run, run)
        alerts = alerts_of(dag.deadline)
        with executing_in(context):
            for place in payload["places"]:
                context["deadline"] = {"alert_name": alerts[place].name, "deadline_time": payload["deadline_at"]}
                _call(alerts[place], context)
    channel.send_result({})


def _call(alert: DeadlineAlert, context: Any) -> None:
    target, kwargs = alert.callback.callback_callable, dict(alert.callback.kwargs or {})
    described = getattr(target, "__qualname__", str(target))
    log.info("a deadline is missed: calling %s", described)
    try:
        if isinstance(target, str):
            module, _, name = target.rpartition(".")
            target = getattr(importlib.import_module(module), name)
        if isinstance(target, type):
            # A notifier is made of its arguments, and called as any callback is.
            returned = target(**kwargs)(context)
        else:
            returned = target(**arguments_for(target, (), {"context": context, **kwargs}))
        if inspect.isawaitable(returned):
            asyncio.run(_awaited(returned))
    except Exception:
        log.exception("%s failed", described)


async def _awaited(returned: Any) -> None:
    await returned
