"""@task.run_if and @task.skip_if: the condition is asked with the context, before the function runs."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from flowd import DAG, task
from flowd.domain.errors import InvalidDag
from flowd.local_run.run_dag import run_dag
from flowd.operators.task_function import TaskFunction

DATE = datetime(2026, 3, 31, tzinfo=UTC)


def is_march(context: Any) -> bool:
    return bool(context["logical_date"].month == 3)


def with_words(context: Any) -> tuple[bool, str]:
    return is_march(context), f"not on {context['ds']}"


def states(dag: DAG) -> dict[str, str]:
    return {
        f"{one.task_id}[{one.map_index}]": one.state.value for one in run_dag(dag, logical_date=DATE, conf={}).tasks
    }


@pytest.mark.parametrize(
    ("decorate", "state"),
    [
        (task.run_if(is_march), "success"),
        (task.skip_if(is_march), "skipped"),
        (task.run_if(lambda context: not is_march(context)), "skipped"),
        (task.skip_if(lambda context: not is_march(context)), "success"),
    ],
)
def test_a_condition_decides_whether_the_task_runs(
    decorate: Callable[[TaskFunction], TaskFunction], state: str
) -> None:
    with DAG("d", schedule=None) as dag:

        @decorate
        @task
        def t() -> None:
            pass

        @decorate
        @task.bash
        def say() -> str:
            return "echo said"

        t()
        say()

    assert states(dag) == {"t[-1]": state, "say[-1]": state}


def test_every_condition_must_hold_and_a_hook_of_the_task_is_called_first(capsys: pytest.CaptureFixture[str]) -> None:
    called: list[str] = []
    with DAG("d", schedule=None) as dag:

        @task.skip_if(with_words)
        @task.run_if(is_march, skip_message="not now")
        @task(pre_execute=lambda context: called.append(context["ds"]))
        def t(item: int) -> None:
            called.append("ran")

        t.expand(item=[1, 2])

    found = states(dag)

    assert found == {"t[0]": "skipped", "t[1]": "skipped"}
    assert called == ["2026-03-31", "2026-03-31"]
    assert capsys.readouterr().err.count("skipped: not on 2026-03-31") == 2


def test_what_is_no_task_is_refused_with_the_order_of_the_decorators() -> None:
    with pytest.raises(InvalidDag, match=r"@task\.run_if stands before .*: put it above @task, not below"):

        @task
        @task.run_if(is_march)  # type: ignore[arg-type]
        def t() -> None:
            pass
