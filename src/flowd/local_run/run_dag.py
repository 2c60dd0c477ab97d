"""run_dag: one run of a DAG in this process, its tasks one after the other in the main thread."""

import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from flowd.child.task_log import log_to_stdout
from flowd.db.views.task_instances import InstanceView
from flowd.domain.dag_run import DagRun
from flowd.domain.dag_spec import DagSpec
from flowd.domain.data_interval import DataInterval
from flowd.domain.states import RunState
from flowd.domain.task_spec import TaskRole
from flowd.domain.trigger_rules import TriggerRule
from flowd.local_run.ended_run import EndedRun, EndedTask
from flowd.local_run.environment import environment
from flowd.local_run.in_process import run_in_process
from flowd.local_run.ledger import LocalLedger, local_ledger
from flowd.local_run.local_trigger import fire
from flowd.local_run.look_up_copy import copy_look_ups, has_metastore, look_ups_of_files
from flowd.local_run.loop_thread import LoopThread
from flowd.logging_setup import QUIET
from flowd.queue.base import Claimed
from flowd.sdk.callbacks import call_all
from flowd.sdk.context import context_of_run, executing_in
from flowd.sdk.dag import DAG
from flowd.sdk.dag_run import RunningDagRun
from flowd.sdk.moments import moment
from flowd.sdk.serialize import serialize
from flowd.sdk.timetable import Timetable
from flowd.settings.load import Keys, load_settings
from flowd.settings.model import Settings

log = logging.getLogger(__name__)

Chosen = Callable[[str], bool]


def run_dag(
    dag: DAG,
    *,
    logical_date: datetime | None = None,
    conf: Mapping[str, Any] | None = None,
    connections_file: str | None = None,
    variables_file: str | None = None,
    mark_success_pattern: str | None = None,
) -> EndedRun:
    """Run the DAG once, about `logical_date` (now where there is none), and return what came of it.

    Every task is executed in this very process, one at a time, so that breakpoints and profilers see it. What is
    scheduled, skipped or tried again is decided by the scheduler's own agents, over a ledger that is thrown away. A
    retry follows at once. Tasks whose id `mark_success_pattern` matches succeed without being executed.
    """
    file = os.path.basename(dag.fileloc)
    pattern = None if mark_success_pattern is None else re.compile(mark_success_pattern)
    with look_ups_of_files(connections_file, variables_file):
        return _run(
            dag,
            serialize(dag, file),
            logical_date,
            conf or {},
            lambda task_id: bool(pattern and pattern.match(task_id)),
        )


def run_task(
    dag: DAG, task_id: str, *, logical_date: datetime | None = None, conf: Mapping[str, Any] | None = None
) -> EndedRun:
    """Run one task of the DAG whatever it waits for, as `run_dag` does; raise TaskNotFound where there is none."""
    dag.get_task(task_id)
    spec = serialize(dag, os.path.basename(dag.fileloc))
    (task,) = (one for one in spec.tasks if one.task_id == task_id)
    alone = replace(
        task, upstream=(), trigger_rule=TriggerRule.ALL_SUCCESS, role=TaskRole.WORK, on_failure_fail_dagrun=False
    )
    return _run(dag, replace(spec, tasks=(alone,)), logical_date, conf or {}, lambda _: False)


def _run(
    dag: DAG, spec: DagSpec, logical_date: datetime | None, conf: Mapping[str, Any], is_marked: Chosen
) -> EndedRun:
    settings = load_settings(os.environ, keys=Keys.OPTIONAL)
    _log()
    with (
        environment({**settings.xcom.variables, **settings.secrets.variables}),
        tempfile.TemporaryDirectory(prefix="flowd-test-") as folder,
        LoopThread() as loop,
    ):
        with _open(loop, Path(folder), spec, settings) as ledger:
            if has_metastore(settings):
                loop.call(copy_look_ups(settings, ledger.library))
            date = logical_date or datetime.now(UTC)
            run = loop.call(ledger.begin(date, conf, _own_interval(dag, date)))
            _work(loop, ledger, dag, is_marked)
            return _ended(loop, ledger, dag, run, conf)


def _log() -> None:
    """Let tasks log to stdout, and the agents only what is wrong; who has set up logging already keeps it."""
    if not logging.getLogger().handlers:
        log_to_stdout()
    if not structlog.is_configured():
        quiet = structlog.make_filtering_bound_logger(logging.WARNING)
        structlog.configure(wrapper_class=quiet, logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def _open(loop: LoopThread, folder: Path, spec: DagSpec, settings: Settings) -> Iterator[LocalLedger]:
    stack = AsyncExitStack()
    ledger = loop.call(stack.enter_async_context(local_ledger(folder, spec, settings.secrets)))
    try:
        yield ledger
    finally:
        loop.call(stack.aclose())


def _own_interval(dag: DAG, date: datetime) -> DataInterval | None:
    """Return what the author's own timetable says that a run of this date is about; None where it is not his own."""
    if not isinstance(dag.timetable_object, Timetable):
        return None
    interval = dag.timetable_object.infer_manual_data_interval(run_after=moment(date))
    # Plain datetimes: those of a library add and compare by rules of their own.
    start, end = (datetime.fromisoformat(at.isoformat()) for at in interval)
    return DataInterval(start, end)


def _work(loop: LoopThread, ledger: LocalLedger, dag: DAG, is_marked: Chosen) -> None:
    while (claimed := loop.call(ledger.next_try())) is not None:
        assignment = claimed.assignment
        if is_marked(assignment.task_id):
            log.info("%s: marked success, not executed", assignment.label)
            loop.call(ledger.mark_success(claimed))
            continue
        log.info("%s: begins", assignment.label)
        answer = _answering(loop, ledger, claimed)
        ended = run_in_process(assignment, dag.get_task(assignment.task_id), answer)
        loop.call(ledger.report(claimed, ended))
        news = fire(ended.result, dag.fileloc, answer)
        if news is not None:
            loop.call(ledger.settle(claimed, news))


def _answering(
    loop: LoopThread, ledger: LocalLedger, claimed: Claimed
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    return lambda request: loop.call(ledger.answer(claimed, request))


def _ended(loop: LoopThread, ledger: LocalLedger, dag: DAG, run: DagRun, conf: Mapping[str, Any]) -> EndedRun:
    ended = loop.call(ledger.run())
    _call_back(loop, ledger, dag, ended)
    xcoms = loop.call(ledger.xcoms())
    tasks = tuple(_task(one, xcoms) for one in loop.call(ledger.instances()))
    for one in tasks:
        log.info("%s%s: %s", one.task_id, f"[{one.map_index}]" if one.map_index >= 0 else "", one.state)
    log.info("%s %s: %s", run.dag_id, run.run_id, ended.state)
    return EndedRun(
        dag_id=run.dag_id,
        run_id=run.run_id,
        state=ended.state,
        logical_date=run.logical_date,
        conf=conf,
        tasks=tasks,
    )


def _call_back(loop: LoopThread, ledger: LocalLedger, dag: DAG, run: DagRun) -> None:
    """Call the DAG's own callbacks, which a scheduler calls in a process of their own."""
    known = loop.call(ledger.context())
    context = context_of_run(dag, RunningDagRun(run.dag_id, run.run_id, known, state=run.state.value), known)
    is_success = run.state is RunState.SUCCESS
    context["reason"] = "success" if is_success else "task_failure"
    with executing_in(context):
        call_all(dag, "on_success_callback" if is_success else "on_failure_callback", context)


def _task(one: InstanceView, xcoms: Mapping[tuple[str, int, str], Any]) -> EndedTask:
    return EndedTask(
        task_id=one.task_id,
        map_index=one.map_index,
        rendered_map_index=one.rendered_map_index,
        state=one.state,
        try_number=one.try_number,
        operator=one.operator,
        duration=one.duration_seconds,
        xcoms=xcoms,
    )
