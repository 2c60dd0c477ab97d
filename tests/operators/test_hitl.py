"""Human-in-the-loop operators: what they ask, and what becomes of the answer."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowd.domain.errors import InvalidDag
from flowd.operators.empty import EmptyOperator
from flowd.operators.hitl import ApprovalOperator, HITLBranchOperator, HITLEntryOperator, HITLOperator
from flowd.operators.triggers.hitl import HITLTrigger
from flowd.sdk.dag import DAG
from flowd.sdk.exceptions import DagWarning, HITLRejectException, HITLTimeoutError, TaskDeferred
from flowd.sdk.notifier import BaseNotifier
from flowd.sdk.param import Param
from flowd.sdk.supervisor import supervised_by
from tests.operators.running import context_for, execute
from tests.support.task_server import TaskServer

AT = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture(autouse=True)
def dag() -> Any:
    with DAG("asking", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        yield dag


def an_answer(*options: str, **fields: Any) -> str:
    answer: dict[str, Any] = {
        "chosen_options": options,
        "params_input": {},
        "responded_at": AT.isoformat(),
        "responded_by_user": None,
    }
    return json.dumps(answer | fields)


class Noting(BaseNotifier):
    told: list[str] = []  # noqa: RUF012

    def notify(self, context: Any) -> None:
        self.told.append(context["ti"].task_id)


def test_it_asks_tells_its_notifiers_and_is_deferred() -> None:
    server = TaskServer(answers={"hitl_ask": [{}]})
    task = HITLOperator(
        task_id="ask", subject="{{ run_id }}?", options=["a", "b"], defaults="b", notifiers=Noting(),
        params={"rows": Param(3, type="integer")}, assigned_users={"id": "1", "name": "ada"},
        response_timeout=timedelta(hours=1),
    )  # fmt: skip

    with pytest.raises(TaskDeferred) as deferred:
        execute(task, server=server)

    assert next(one for one in server.requests if one["op"] == "hitl_ask") == {
        "op": "hitl_ask",
        "subject": "manual__1?",
        "body": None,
        "options": ["a", "b"],
        "defaults": ["b"],
        "multiple": False,
        "params": {"rows": {"value": 3, "description": None, "schema": {"type": "integer"}}},
        "assigned_users": [{"id": "1", "name": "ada"}],
    }
    trigger = deferred.value.trigger
    assert isinstance(trigger, HITLTrigger) and trigger.fires_at is not None
    assert timedelta(minutes=59) < trigger.fires_at - datetime.now(UTC) <= timedelta(hours=1)
    assert Noting.told == ["ask"]


def test_the_answer_is_its_xcom() -> None:
    task = HITLEntryOperator(task_id="entry", subject="?", params={"rows": 3})

    by = {"id": "ada", "name": "ada"}
    value = task.execute_complete(
        context_for(task), event=an_answer("OK", params_input={"rows": 5}, responded_by_user=by)
    )

    assert value == {
        "chosen_options": ["OK"],
        "params_input": {"rows": 5},
        "responded_at": AT,
        "responded_by_user": by,
    }


def test_without_an_answer_in_time_the_defaults_are_it_or_it_fails() -> None:
    server = TaskServer(answers={"hitl_timed_out": [{}]})
    task = HITLEntryOperator(task_id="entry", subject="?", params={"rows": 3})
    silent = HITLOperator(task_id="silent", subject="Well?", options=["a"])

    with supervised_by(server):
        late = HITLTrigger(defaults=task.defaults, timeout_datetime=AT).event.payload
        value = task.execute_complete(context_for(task), event=late)

    assert (value["chosen_options"], value["params_input"], value["responded_at"]) == (["OK"], {"rows": 3}, AT)
    assert server.asked == ["hitl_timed_out"]
    with pytest.raises(HITLTimeoutError, match=r"^Well\?: nobody has answered in time$"):
        silent.execute_complete(context_for(silent), event=HITLTrigger(timeout_datetime=AT).event.payload)


@pytest.mark.parametrize(
    ("keywords", "skipped"),
    [({}, ["next"]), ({"ignore_downstream_trigger_rules": True}, ["last", "next"])],
)
def test_what_is_behind_a_rejection_is_skipped(keywords: dict[str, Any], skipped: list[str]) -> None:
    task = ApprovalOperator(task_id="approve", subject="?", **keywords)
    task >> EmptyOperator(task_id="next") >> EmptyOperator(task_id="last")
    context = context_for(task)

    task.execute_complete(context, event=an_answer("Approve"))
    assert context["ti"].skipped == []
    task.execute_complete(context, event=an_answer("Reject"))
    assert context["ti"].skipped == skipped


def test_a_rejection_may_fail_the_task() -> None:
    task = ApprovalOperator(task_id="approve", subject="Now?", fail_on_reject=True)

    with pytest.raises(HITLRejectException, match=r"^Now\?: rejected$"):
        task.execute_complete(context_for(task), event=an_answer("Reject"))


def test_a_branch_follows_what_was_chosen() -> None:
    task = HITLBranchOperator(task_id="b", subject="?", options=["Left!", "right"], options_mapping={"Left!": "left"})
    task >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")]
    context = context_for(task)

    assert task.execute_complete(context, event=an_answer("Left!")) == ["left"]
    assert context["ti"].skipped == ["right"]


@pytest.mark.parametrize(
    ("kind", "keywords", "message"),
    [
        (HITLOperator, {"options": []}, "options is empty"),
        (HITLOperator, {"options": ["a"], "defaults": "b"}, "defaults has b; wanted of: a"),
        (HITLOperator, {"options": ["a", "b"], "defaults": ["a", "b"]}, "set multiple=True"),
        (HITLOperator, {"options": ["a"], "params": {"_options": 1}}, "cannot be called _options"),
        (ApprovalOperator, {"options": ["a"]}, "options cannot be given"),
        (HITLBranchOperator, {"options": ["a"], "options_mapping": {"b": "t"}}, "has b, which is no option: a"),
        (HITLBranchOperator, {"options": ["a"], "options_mapping": {"a": 3}}, "wanted ids of tasks"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(kind: Any, keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDag, match=message):
        kind(task_id="t", subject="?", **keywords)


def test_an_execution_timeout_is_taken_for_the_answers() -> None:
    with pytest.warns(DagWarning, match="write that"):
        task = HITLOperator(task_id="t", subject="?", options=["a"], execution_timeout=timedelta(minutes=5))

    assert (task.response_timeout, task.execution_timeout) == (timedelta(minutes=5), None)


PAGE = "/dags/etl/runs/manual__1/tasks/ask"


def a_question() -> HITLOperator:
    return HITLOperator(task_id="ask", subject="?", options=["yes", "no"], params={"rows": Param(3)})


@pytest.mark.parametrize(
    ("given", "link"),
    [
        ({}, f"https://flowd.test{PAGE}"),
        ({"base_url": "http://other/"}, f"http://other{PAGE}"),
        ({"options": "yes", "params_input": {"rows": 7}}, f"https://flowd.test{PAGE}?option=yes&param%3Arows=7"),
        ({"options": ["yes", "no"]}, f"https://flowd.test{PAGE}?option=yes&option=no"),
    ],
)
def test_a_link_leads_to_the_page_where_it_is_answered(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], link: str
) -> None:
    monkeypatch.setenv("FLOWD_API_URL", "https://flowd.test")
    context = context_for(a_question())

    assert HITLOperator.generate_link_to_ui_from_context(context=context, **given) == link


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give base_url, or set FLOWD_API_URL"),
        ({"base_url": "http://x", "options": "perhaps"}, "perhaps: no such option; there are yes, no"),
        ({"base_url": "http://x", "params_input": {"n": 1}}, "n: no such param; there are rows"),
    ],
)
def test_a_link_that_leads_nowhere_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], message: str
) -> None:
    monkeypatch.delenv("FLOWD_API_URL", raising=False)
    context = context_for(a_question())

    with pytest.raises(ValueError, match=message):
        HITLOperator.generate_link_to_ui_from_context(context=context, **given)


def test_a_task_that_asks_nobody_has_no_such_link() -> None:
    with pytest.raises(ValueError, match="task 'other' asks nobody"):
        HITLOperator.generate_link_to_ui_from_context(context=context_for(EmptyOperator(task_id="other")))


def test_its_summary_says_what_is_asked_and_then_what_was_answered() -> None:
    task = ApprovalOperator(
        task_id="a", subject="{{ run_id }}?", params={"rows": Param(3)}, response_timeout=timedelta(hours=1)
    )
    with pytest.raises(TaskDeferred):
        execute(task, server=TaskServer(answers={"hitl_ask": [{}]}))
    asked = task.hitl_summary

    answer = {"chosen_options": ["Approve"], "params_input": {"rows": 4}, "responded_at": AT.isoformat()}
    task.execute_complete(context_for(task), event=answer)

    until = asked.pop("timeout_datetime")
    assert until and datetime.fromisoformat(until) > datetime.now(UTC)
    assert asked == {
        "subject": "manual__1?",
        "body": None,
        "options": ["Approve", "Reject"],
        "defaults": None,
        "multiple": False,
        "assigned_users": None,
        "serialized_params": {"rows": {"value": 3, "description": None, "schema": {}}},
        "ignore_downstream_trigger_rules": False,
        "fail_on_reject": False,
    }
    told = {name: task.hitl_summary[name] for name in ("approved", "chosen_options", "params_input", "responded_at")}
    assert told == {"approved": True, **answer}


def test_a_subclass_adds_to_the_summary_and_a_failure_is_in_it() -> None:
    task = HITLBranchOperator(task_id="b", subject="?", options=["a"], options_mapping={"a": "t"})
    task.hitl_summary_extra["of_mine"] = 1

    with pytest.raises(HITLTimeoutError):
        task.execute_complete(context_for(task), event=HITLTrigger(timeout_datetime=AT).event.payload)

    summary = task.hitl_summary
    assert (summary["of_mine"], summary["options_mapping"], summary["error_type"]) == (1, {"a": "t"}, "timeout")
