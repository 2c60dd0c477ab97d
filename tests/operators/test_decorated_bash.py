"""@task.bash: the command a function returns is rendered and run."""

from pathlib import Path
from typing import Any

import pytest

from flowd import DAG, task
from flowd.sdk.exceptions import AirflowException, AirflowSkipException
from flowd.sdk.serialize import serialize
from tests.operators.running import execute


def test_the_command_is_rendered_and_its_last_line_is_the_value(tmp_path: Path) -> None:
    @task.bash(env={"GREETING": "hello {{ run_id }}"}, append_env=True, cwd=str(tmp_path))
    def greet(whom: str, ti: Any = None) -> str:
        return f'echo "$GREETING"; echo {whom} {{{{ ti.task_id }}}} {ti.try_number} $PWD'

    with DAG("etl") as dag:
        operator = greet("you").operator

    (spec,) = serialize(dag, "etl.py").tasks
    assert (spec.operator, spec.work.callable) == ("@task.bash", greet.function.__qualname__)  # type: ignore[union-attr]
    assert execute(operator) == f"you greet 1 {tmp_path}"


@pytest.mark.parametrize("returned", [None, "", "  ", 7])
def test_a_function_that_returns_no_command_fails_the_task(returned: Any) -> None:
    with DAG("etl"):
        operator = task.bash(lambda: returned).override(task_id="none")().operator

    with pytest.raises(AirflowException, match=r"@task.bash 'none' returned .*; wanted a command, as text"):
        execute(operator)


def test_exit_codes_skip_and_fail_as_those_of_a_bash_operator() -> None:
    with DAG("etl"):
        skips = task.bash(lambda: "exit 3").override(task_id="skips", skip_on_exit_code=[3])().operator
        fails = task.bash(lambda: "exit 4").override(task_id="fails")().operator

    with pytest.raises(AirflowSkipException):
        execute(skips)
    with pytest.raises(AirflowException, match="exited with 4"):
        execute(fails)
