"""TriggerDagRunOperator: what it asks for, and how it takes the answer."""

from datetime import UTC, datetime
from typing import Any

import pytest

from flowd.domain.errors import InvalidDag
from flowd.operators.trigger_dagrun import TriggerDagRunOperator
from flowd.sdk.dag import DAG
from flowd.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    DagIsPaused,
    DagNotFound,
    DagRunAlreadyExists,
    DagWarning,
)
from tests.operators.running import execute
from tests.support.task_server import TaskServer

EXISTS = {"outcome": "exists", "reason": "DAG 'child' has a run with the id 'mine' already"}


@pytest.fixture(autouse=True)
def dag() -> Any:
    with DAG("parent", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        yield dag


def a_trigger(**keywords: Any) -> TriggerDagRunOperator:
    fields: dict[str, Any] = {"trigger_dag_id": "child", "poke_interval": 0}
    return TriggerDagRunOperator(task_id="trigger", **(fields | keywords))


def answering(*outcomes: dict[str, Any], states: tuple[str | None, ...] = ()) -> TaskServer:
    found = [{"states": {"mine": state} if state else {}} for state in states]
    return TaskServer(answers={"trigger_dag_run": list(outcomes), "run_states": found})


MADE = {"outcome": "triggered", "run_id": "mine"}


def test_it_asks_for_a_run_with_what_its_templates_give_and_pushes_its_id() -> None:
    server = answering(MADE)

    execute(
        a_trigger(
            trigger_run_id="for_{{ run_id }}",
            conf={"run": "{{ run_id }}", "rows": 3},
            logical_date="2026-01-31T00:00:00+00:00",
            note="by hand",
        ),
        server=server,
    )

    asked = next(one for one in server.requests if one["op"] == "trigger_dag_run")
    assert {name: asked[name] for name in ("dag_id", "run_id", "logical_date", "conf", "note", "reset")} == {
        "dag_id": "child",
        "run_id": "for_manual__1",
        "logical_date": "2026-01-31T00:00:00+00:00",
        "conf": {"run": "manual__1", "rows": 3},
        "note": "by hand",
        "reset": False,
    }
    assert server.xcoms == {("(running)", "trigger_run_id"): "mine"}


def test_without_a_date_the_run_stands_for_this_moment_and_with_none_for_no_date() -> None:
    server = answering(MADE)
    before = datetime.now(UTC)

    given: list[dict[str, Any]] = [{}, {"logical_date": None}, {"run_after": "2026-02-01T00:00:00+00:00"}]
    for number, keywords in enumerate(given):
        execute(TriggerDagRunOperator(task_id=f"t{number}", trigger_dag_id="child", **keywords), server=server)

    asked = [one for one in server.requests if one["op"] == "trigger_dag_run"]
    assert before <= datetime.fromisoformat(asked[0]["logical_date"]) <= datetime.now(UTC)
    assert [one["logical_date"] for one in asked[1:]] == [None, None]
    assert asked[2]["run_after"] == "2026-02-01T00:00:00+00:00"
    assert len({one["number"] for one in asked}) == 3, "each wish has a number of its own"


def test_it_waits_until_the_run_is_in_an_allowed_state() -> None:
    server = answering(MADE, states=("queued", "running", "success"))

    execute(a_trigger(wait_for_completion=True), server=server)

    assert server.asked.count("run_states") == 3


@pytest.mark.parametrize(
    ("state", "keywords", "message"),
    [
        ("failed", {}, r"^the run 'mine' of child ended in the failed state failed$"),
        ("success", {"allowed_states": ["failed"], "failed_states": ["success"]}, r"in the failed state success$"),
        (None, {}, r"^the run 'mine' of child that was waited for is gone$"),
    ],
)
def test_a_run_that_ends_otherwise_fails_the_task(state: str | None, keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(AirflowException, match=message):
        execute(a_trigger(wait_for_completion=True, **keywords), server=answering(MADE, states=(state,)))


def test_a_run_that_is_there_already_fails_the_task_for_good_or_skips_it() -> None:
    with pytest.raises(DagRunAlreadyExists, match=r"'mine' already: give the run an id or date of its own"):
        execute(a_trigger(), server=answering(EXISTS))
    with pytest.raises(AirflowSkipException, match=r"skip_when_already_exists is set"):
        execute(
            TriggerDagRunOperator(task_id="b", trigger_dag_id="child", skip_when_already_exists=True),
            server=answering(EXISTS),
        )

    assert issubclass(DagRunAlreadyExists, AirflowFailException)


def test_a_dag_that_is_unknown_or_paused_is_an_error() -> None:
    with pytest.raises(DagNotFound, match=r"^The Dag with ID: `child` was not found$"):
        execute(
            a_trigger(), server=answering({"outcome": "unknown", "reason": "The Dag with ID: `child` was not found"})
        )
    with pytest.raises(DagIsPaused, match=r"^the DAG 'child' is paused"):
        execute(
            TriggerDagRunOperator(task_id="b", trigger_dag_id="child", fail_when_dag_is_paused=True),
            server=answering({"outcome": "paused"}),
        )


def order_if_wanted(context: Any, order: Any) -> Any:
    order.payload = {"message": context["params"]["message"]}
    return order if context["params"]["is_wanted"] else None


@pytest.mark.parametrize("is_wanted", [True, False])
def test_a_function_of_airflow_1_10_decides_whether_there_is_a_run_and_gives_its_conf(is_wanted: bool) -> None:
    server = answering(MADE)
    with pytest.warns(DagWarning, match="task 'trigger': python_callable is of Airflow 1.10; use conf"):
        trigger = a_trigger(
            python_callable=order_if_wanted, trigger_run_id="mine", params={"is_wanted": is_wanted, "message": "hello"}
        )

    execute(trigger, server=server)

    asked = [(one["run_id"], one["conf"]) for one in server.requests if one["op"] == "trigger_dag_run"]
    assert asked == ([("mine", {"message": "hello"})] if is_wanted else [])


def test_what_can_never_be_is_refused() -> None:
    with pytest.raises(InvalidDag, match=r"^task 'trigger': allowed_states: 'done' is not a valid RunState; wanted "):
        a_trigger(allowed_states=["done"])
    with pytest.raises(AirflowFailException, match=r"^conf of task 'b' is not a JSON object: "):
        execute(TriggerDagRunOperator(task_id="b", trigger_dag_id="child", conf={"date": object()}))
