"""TriggerDagRunOperator: makes a run of another DAG, and may wait for its end."""

import itertools
import json
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.domain.states import RunState
from flowd.operators.triggers.external_task import DagStateTrigger
from flowd.sdk.arguments import as_timedelta
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.context import Context
from flowd.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    DagIsPaused,
    DagNotFound,
    DagRunAlreadyExists,
    DagWarning,
)
from flowd.sdk.external_states import get_dagrun_state
from flowd.sdk.not_set import NOTSET, ArgNotSet
from flowd.sdk.supervisor import ask

_numbers = itertools.count(1)
"""The wishes of this process: the next try begins to count anew, and what it wishes again is there already."""


@dataclass(slots=True)
class DagRunOrder:
    """What a `python_callable` orders: a run with this id (None: any), and `payload` as its conf."""

    run_id: str | None = None
    payload: Mapping[str, Any] | None = None


class TriggerDagRunOperator(BaseOperator):
    """Make a run of `trigger_dag_id` with `conf`; push its id as the XCom `trigger_run_id`.

    The run stands for the present moment, or for `logical_date` (None: for no date). Where there is a run of this id or
    date already, the task fails without a retry; with `reset_dag_run` that run is cleared, and with
    `skip_when_already_exists` the task is skipped. With `wait_for_completion` it looks every `poke_interval` seconds
    until the run is in one of `allowed_states`, or fails where it is in one of `failed_states`; with `deferrable` it is
    deferred meanwhile. A try that takes the
    place of one which broke off finds the run that was made then.

    As in Airflow 1.10, `python_callable(context, order)` may set the order's `payload`, which is the run's conf, and
    return the order; where it returns nothing there is no run.
    """

    template_fields: Sequence[str] = (
        "trigger_dag_id", "trigger_run_id", "logical_date", "conf", "wait_for_completion", "skip_when_already_exists",
    )  # fmt: skip
    ui_color = "#ffefeb"

    def __init__(
        self,
        *,
        trigger_dag_id: str,
        trigger_run_id: str | None = None,
        conf: Mapping[str, Any] | str | None = None,
        logical_date: datetime | str | ArgNotSet | None = NOTSET,
        execution_date: datetime | str | None = None,
        run_after: datetime | str | ArgNotSet | None = NOTSET,
        note: str | None = None,
        reset_dag_run: bool = False,
        wait_for_completion: bool = False,
        poke_interval: timedelta | float = 60,
        allowed_states: Iterable[str] | None = None,
        failed_states: Iterable[str] | None = None,
        skip_when_already_exists: bool = False,
        fail_when_dag_is_paused: bool = False,
        deferrable: bool = False,
        python_callable: Callable[[Context, "DagRunOrder"], "DagRunOrder | None"] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        where = f"task {self.task_id!r}"
        self.trigger_dag_id, self.trigger_run_id, self.conf = trigger_dag_id, trigger_run_id, conf
        self.logical_date = execution_date if execution_date is not None else logical_date
        self.run_after, self.note = run_after, note
        self.reset_dag_run, self.wait_for_completion = reset_dag_run, wait_for_completion
        self.poke_interval = as_timedelta(poke_interval, f"{where}: poke_interval").total_seconds()
        self.allowed_states = _states(allowed_states or [RunState.SUCCESS], f"{where}: allowed_states")
        self.failed_states = _states(
            [RunState.FAILED] if failed_states is None else failed_states, f"{where}: failed_states"
        )
        self.skip_when_already_exists = skip_when_already_exists
        self.fail_when_dag_is_paused = fail_when_dag_is_paused
        self.deferrable = deferrable
        self.python_callable = python_callable
        if python_callable is not None:
            warnings.warn(
                f"{where}: python_callable is of Airflow 1.10; use conf, and a ShortCircuitOperator before the task",
                DagWarning,
                stacklevel=2,
            )

    def execute(self, context: Context) -> None:
        """Make the run and, if that is wanted, wait for its end."""
        if self.python_callable is not None:
            order = self.python_callable(context, DagRunOrder(run_id=self.trigger_run_id))
            if not order:
                self.log.info("python_callable has returned no order: no run is made")
                return
            self.trigger_run_id, self.conf = order.run_id, order.payload
        run_id = self._trigger()
        context["ti"].xcom_push(key="trigger_run_id", value=run_id)
        if not _as_bool(self.wait_for_completion):
            return
        if not self.deferrable:
            self._wait_for(run_id)
            return
        trigger = DagStateTrigger(
            dag_id=self.trigger_dag_id,
            states=[*self.allowed_states, *self.failed_states],
            run_ids=[run_id],
            poll_interval=self.poke_interval,
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: tuple[str, Mapping[str, Any]]) -> None:
        """Take the state that the trigger has found."""
        found = event[1]
        for run_id in found["run_ids"]:
            self._is_over(run_id, found.get(run_id))

    def _trigger(self) -> str:
        logical_date, run_after = self._dates()
        answer = ask(
            "trigger_dag_run",
            number=next(_numbers),
            dag_id=self.trigger_dag_id,
            run_id=None if not self.trigger_run_id else str(self.trigger_run_id),
            logical_date=_text(logical_date),
            run_after=_text(run_after),
            conf=self._checked_conf(),
            note=self.note,
            reset=self.reset_dag_run,
            fail_when_paused=self.fail_when_dag_is_paused,
        )
        match answer["outcome"]:
            case "triggered":
                self.log.info("triggered the run %s of %s", answer["run_id"], self.trigger_dag_id)
            case "reset":
                self.log.info(
                    "cleared the run %s of %s, which was there already", answer["run_id"], self.trigger_dag_id
                )
            case "exists":
                raise self._existing(answer["reason"])
            case "paused":
                raise DagIsPaused(self.trigger_dag_id)
            case _:
                raise DagNotFound(answer["reason"])
        run_id: str = answer["run_id"]
        return run_id

    def _existing(self, reason: str) -> AirflowException:
        if _as_bool(self.skip_when_already_exists):
            return AirflowSkipException(f"skipped, as skip_when_already_exists is set: {reason}")
        return DagRunAlreadyExists(
            f"{reason}: give the run an id or date of its own, or set reset_dag_run or skip_when_already_exists"
        )

    def _wait_for(self, run_id: str) -> None:
        while True:
            state = get_dagrun_state(self.trigger_dag_id, run_id)
            if self._is_over(run_id, state):
                return
            self.log.info("the run %s of %s is %s; waiting", run_id, self.trigger_dag_id, state)
            time.sleep(self.poke_interval)

    def _is_over(self, run_id: str, state: str | None) -> bool:
        """Return whether this state is allowed; raise AirflowException where it is a failed one, or the run is gone."""
        if state is None:
            raise AirflowException(f"the run {run_id!r} of {self.trigger_dag_id} that was waited for is gone")
        if state in self.failed_states:
            raise AirflowException(f"the run {run_id!r} of {self.trigger_dag_id} ended in the failed state {state}")
        return state in self.allowed_states

    def _dates(self) -> tuple[datetime | None, datetime | None]:
        run_after = None if isinstance(self.run_after, ArgNotSet) else self._moment(self.run_after)
        if isinstance(self.logical_date, ArgNotSet):
            return (datetime.now(UTC) if isinstance(self.run_after, ArgNotSet) else None), run_after
        return self._moment(self.logical_date), run_after

    def _moment(self, given: datetime | str | None) -> datetime | None:
        date = datetime.fromisoformat(given) if isinstance(given, str) else given
        return date if date is None or date.tzinfo else date.replace(tzinfo=self.dag.timezone)

    def _checked_conf(self) -> Any:
        try:
            conf = json.loads(self.conf) if isinstance(self.conf, str) else self.conf
            return json.loads(json.dumps(conf if conf is None else dict(conf)))
        except (TypeError, ValueError) as error:
            raise AirflowFailException(
                f"conf of task {self.task_id!r} is not a JSON object: {error}; give plain values"
            ) from error


def _states(given: Iterable[str], where: str) -> list[RunState]:
    try:
        return [RunState(state) for state in given]
    except ValueError as error:
        raise InvalidDag(f"{where}: {error}; wanted states of runs: {', '.join(RunState)}") from error


def _text(date: datetime | None) -> str | None:
    return None if date is None else date.astimezone(UTC).isoformat()


def _as_bool(given: Any) -> bool:
    """Return a keyword that may have been rendered from a template, and is a text then."""
    return given.strip().lower() not in ("", "false", "none", "0") if isinstance(given, str) else bool(given)
