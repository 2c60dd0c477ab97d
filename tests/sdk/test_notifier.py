"""BaseNotifier: rendered in the context it is called in, and called like any callback."""

from typing import Any

import pytest

from flowd import DAG, BaseNotifier, EmptyOperator
from flowd.sdk.callbacks import call_all
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.serialize import serialize
from tests.operators.running import context_for


class Note(BaseNotifier):
    template_fields = ("text", "more")

    def __init__(self, text: str, more: Any = None) -> None:
        super().__init__()
        self.text, self.more = text, more
        self.said: list[Any] = []

    def notify(self, context: Any) -> None:
        self.said.append((self.text, self.more, context["ti"].task_id))


def test_a_notifier_renders_its_fields_and_notifies() -> None:
    first, second = Note("{{ run_id }} of {{ dag.dag_id }}", {"try": "{{ ti.try_number }}"}), Note("plain")
    with DAG("etl") as dag:
        load = EmptyOperator(task_id="load", on_success_callback=[first, second])

    call_all(load, "on_success_callback", context_for(load))

    assert first.said == [("manual__1 of etl", {"try": "1"}, "load")]
    assert second.said == [("plain", None, "load")]
    (spec,) = serialize(dag, "etl.py").tasks
    assert spec.presentation["callbacks"] == ["on_success_callback"]


def test_a_notifier_that_fails_does_not_keep_the_next_from_being_called() -> None:
    broken, whole = Note("{{ nobody_knows_this }}"), Note("told")
    with DAG("etl"):
        load = EmptyOperator(task_id="load", on_failure_callback=[BaseNotifier(), broken, whole])
    context = context_for(load)

    call_all(load, "on_failure_callback", context)

    assert [said[0] for said in whole.said] == ["told"]
    with pytest.raises(AirflowException, match="Note, field 'text': UndefinedError: 'nobody_knows_this' is undefined"):
        broken(context)
    with pytest.raises(NotImplementedError, match=r"BaseNotifier must define notify\(self, context\)"):
        BaseNotifier()(context)
