"""Rehearsal: what a fork server does once so that none of its tasks has to."""

import os
import socket
import time
from datetime import UTC, datetime

from flowd.child.channel import Channel
from flowd.child.keeper.environment_change import EnvironmentChange
from flowd.child.keeper.task_setup import TaskSetup, read_setup
from flowd.child.launch import Limits
from flowd.child.run_task import attempt
from flowd.child.task_log import log_to_stdout
from flowd.domain.assignment import Assignment, RunContext, assignment_from_json, assignment_to_json
from flowd.domain.ids import BundleHash, DagId, InstanceKey, RunId, TaskId
from flowd.domain.states import RunType
from flowd.domain.work import PythonWork
from flowd.operators.python import PythonOperator
from flowd.sdk.dag import DAG
from flowd.sdk.supervisor import supervised_by
from flowd.sdk.xcom_store import prepare

OFTEN = 20
"""So often Python must see code run before it has adapted it to what it does, and writes to its memory no more."""

_BIRTH = datetime(2000, 1, 1, tzinfo=UTC)


class Rehearsal:
    """A task that does nothing, of a DAG that nobody knows, and runs as a forked process runs one.

    In a forked process each page of memory that is written to is copied first: caches that are filled here, code that
    was adapted here and logging that was set up here cost the tasks that are forked from here nothing.
    """

    def __init__(self) -> None:
        log_to_stdout()
        prepare(os.environ)
        dag = DAG("rehearsal", schedule=None)
        self._task = PythonOperator(task_id="nothing", python_callable=_nothing, dag=dag)
        self._setup = TaskSetup(
            attempt_id=0,
            entry=attempt.__module__,
            payload=assignment_to_json(_assignment(dag, self._task)),
            env=EnvironmentChange({}, []),
            cwd=os.getcwd(),
            limits=Limits(),
        ).to_bytes()

    def play(self, times: int = OFTEN) -> None:
        """Run the task so often."""
        task_end, keeper_end = socket.socketpair()
        with task_end, keeper_end:
            for _ in range(times):
                keeper_end.sendall(self._setup)
                read = read_setup(task_end.fileno())
                read.env.apply()
                channel = Channel(task_end.fileno())
                with supervised_by(channel):
                    attempt(channel, assignment_from_json(read.payload), self._task, time.monotonic())
                keeper_end.recv(len(self._setup))


def _nothing() -> None:
    pass


def _assignment(dag: DAG, task: PythonOperator) -> Assignment:
    return Assignment(
        instance=InstanceKey(0),
        dag_id=DagId(dag.dag_id),
        run_id=RunId("rehearsal"),
        task_id=TaskId(task.task_id),
        try_number=1,
        max_tries=0,
        operator=task.operator_name,
        work=PythonWork(file="rehearsal.py", callable=task.callable_name),
        bundle=BundleHash("0" * 64),
        run=RunContext(run_type=RunType.MANUAL, run_after=_BIRTH, logical_date=_BIRTH),
    )
