"""Functions in another interpreter: virtual environments that are really made, and a Python that is named."""

import os
import sys
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flowd import (
    DAG,
    BranchExternalPythonOperator,
    BranchPythonVirtualenvOperator,
    EmptyOperator,
    ExternalPythonOperator,
    PythonVirtualenvOperator,
    task,
)
from flowd.domain.assignment import RunContext
from flowd.domain.errors import InvalidDag
from flowd.domain.states import RunType
from flowd.sdk.connection import Connection
from flowd.sdk.exceptions import AirflowException, AirflowSkipException, DagWarning
from tests.operators.running import context_for, execute

HERE = {"python": sys.executable}


def external(function: Any, **keywords: Any) -> ExternalPythonOperator:
    with DAG("etl", params={"rows": 5}):
        return ExternalPythonOperator(task_id="t", python_callable=function, **{**HERE, **keywords})


def venv(function: Any, **keywords: Any) -> PythonVirtualenvOperator:
    with DAG("etl"):
        return PythonVirtualenvOperator(task_id="t", python_callable=function, **keywords)


def everything(*values, ds, params=None, last=None):  # type: ignore[no-untyped-def]
    return [list(values), ds, params, last]


def prefix() -> str:
    import sys

    return sys.prefix


def test_values_go_and_come_back_as_what_they_are() -> None:
    values = [1, "é", None, (1, {2}), date(2026, 1, 2), timedelta(1, 2), Decimal("1.50"), float("inf"), {1: "one"}]

    found = execute(external(everything, op_args=[*values, "{{ run_id }}"], op_kwargs={"last": frozenset({3})}))

    assert found == [[*values, "manual__1"], found[1], found[2], frozenset({3})]
    assert isinstance(found[1], str) and len(found[1]) == 10


def test_the_context_it_names_is_given_with_dates_as_dates() -> None:
    def dates(logical_date, run_id, data_interval_end=None, **rest):  # type: ignore[no-untyped-def]
        return [type(logical_date).__module__.partition(".")[0], logical_date, run_id, "ti" in rest, "ts" in rest]

    moment = datetime(2026, 1, 31, tzinfo=UTC)
    operator = external(dates)
    run = RunContext(run_type=RunType.MANUAL, run_after=moment, logical_date=moment)

    found = execute(operator, context_for(operator, run))

    assert found[0] in ("datetime", "pendulum")
    assert isinstance(found[1], datetime)
    assert found[2:] == ["manual__1", False, True]


def test_string_args_and_variables_of_the_environment_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def look() -> Any:
        import os

        return [virtualenv_string_args, os.environ.get("OWN"), os.environ.get("HERS")]  # type: ignore[name-defined]  # noqa: F821

    monkeypatch.setenv("HERS", "h")

    assert execute(external(look, string_args=["{{ run_id }}", 2], env_vars={"OWN": 1})) == [
        ["manual__1", "2"],
        "1",
        "h",
    ]
    assert execute(external(look, inherit_env=False)) == [[], None, None]


def test_what_it_prints_is_in_the_log_and_what_it_raises_is_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    def breaks() -> None:
        print("working")  # noqa: T201
        raise ValueError("no rows")

    with pytest.raises(AirflowException, match=rf"task 't' failed in {sys.executable}: ValueError: no rows"):
        execute(external(breaks))

    out = capsys.readouterr().out
    line = breaks.__code__.co_firstlineno + 2
    assert "working" in out
    assert f'test_guest_python.py", line {line}, in breaks' in out


@pytest.mark.parametrize(("codes", "error"), [(9, AirflowSkipException), ([8, 9], AirflowSkipException)])
def test_an_exit_code_can_skip_it(codes: Any, error: type[Exception]) -> None:
    def leave() -> None:
        import sys

        sys.exit(9)

    with pytest.raises(error, match="exited with 9, which means: skip"):
        execute(external(leave, skip_on_exit_code=codes))
    with pytest.raises(AirflowException, match="ended with exit code 9 and no value"):
        execute(external(leave))


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"python_callable": lambda: 1}, "must be a function made with def"),
        ({"serializer": "marshal"}, "serializer is 'marshal', wanted one of pickle, dill, cloudpickle"),
        ({"python": ""}, "python is empty"),
    ],
)
def test_what_cannot_be_is_refused_where_the_dag_is_written(keywords: dict[str, Any], message: str) -> None:
    with DAG("etl"), pytest.raises(InvalidDag, match=message):
        ExternalPythonOperator(task_id="t", **{**HERE, "python_callable": prefix, **keywords})


def test_a_context_value_that_cannot_leave_the_process_is_refused() -> None:
    def asks(ti: Any) -> None: ...

    with pytest.raises(InvalidDag, match="its function asks for 'ti', which cannot enter another interpreter"):
        external(asks)


@pytest.mark.parametrize("keywords", [{"serializer": "pickle"}, {"use_dill": True}, {"serializer": "cloudpickle"}])
def test_a_serializer_is_accepted_and_said_to_have_no_effect(keywords: dict[str, Any]) -> None:
    with pytest.warns(DagWarning, match="has no effect; values pass as JSON"):
        external(prefix, **keywords)


def test_what_is_no_value_for_json_says_what_to_do() -> None:
    def returns() -> Any:
        return object()

    with pytest.raises(AirflowException, match=r"the returned value is a builtins\.object, which cannot leave"):
        execute(external(returns))
    with pytest.raises(TypeError, match="which an XCom cannot hold"):
        execute(external(everything, op_args=[object()]))


def test_an_interpreter_that_is_not_there_is_named() -> None:
    with pytest.raises(AirflowException, match="there is no Python at '/no/python' on this worker"):
        execute(external(prefix, python="/no/python"))
    with pytest.raises(AirflowException, match=r"there is no python9\.9 on this worker"):
        execute(venv(prefix, python_version="9.9.1"))
    with pytest.raises(InvalidDag, match="python_version is 'new'"):
        venv(prefix, python_version="new")


def test_a_virtual_environment_is_made_and_gone_again() -> None:
    made = execute(venv(prefix, system_site_packages=False, python_version=f"{sys.version_info.major}"))

    assert made != sys.prefix
    assert not Path(made).exists()


def test_an_environment_in_the_cache_is_used_again_until_it_changes(tmp_path: Path) -> None:
    def made(**keywords: Any) -> str:
        found: str = execute(venv(prefix, venv_cache_path=str(tmp_path / "venvs"), **keywords))
        return found

    first, again, other = made(), made(), made(system_site_packages=False)

    assert first == again != other
    os.unlink(Path(first, "flowd-complete"))
    Path(first, "left-behind").touch()
    assert made() == first
    assert not Path(first, "left-behind").exists()


def test_requirements_are_installed_with_the_options_given(tmp_path: Path) -> None:
    write_wheel(tmp_path, "flowd_guest_example", "1.0", "ANSWER = 42\n")
    (tmp_path / "requirements.txt").write_text("# ours\nflowd-guest-example=={{ params.version }}\n")

    def answer() -> int:
        import flowd_guest_example  # type: ignore[import-not-found]

        found: int = flowd_guest_example.ANSWER
        return found

    keywords: dict[str, Any] = {
        "index_urls": [],
        "pip_install_options": ["--find-links", str(tmp_path)],
        "system_site_packages": False,
    }
    with DAG("etl", params={"version": "1.0"}, template_searchpath=str(tmp_path)):
        task = PythonVirtualenvOperator(
            task_id="t", python_callable=answer, requirements="requirements.txt", **keywords
        )
    assert execute(task) == 42

    with pytest.raises(AirflowException, match="pip could not install flowd-guest-example==2"):
        execute(venv(answer, requirements=["flowd-guest-example==2"], **keywords))


def test_indexes_are_told_to_pip_in_a_file_that_only_its_owner_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection(conn_type="package_index", host="https://index.example/simple", login="me", password="pw")
    monkeypatch.setenv("AIRFLOW_CONN_INDEX", connection.as_json())
    operator = venv(
        prefix,
        requirements=["flowd-guest-example"],
        index_urls="file:///first",
        index_urls_from_connection_ids=["index"],
        venv_cache_path=str(tmp_path),
        pip_install_options=["--no-index", "--find-links", str(tmp_path)],
    )
    write_wheel(tmp_path, "flowd_guest_example", "1.0", "")

    written = Path(execute(operator), "pip.conf")

    assert written.read_text().splitlines()[1:] == [
        "index-url = file:///first",
        "extra-index-url = https://me:pw@index.example/simple",
    ]
    assert written.stat().st_mode & 0o077 == 0


def test_branches_follow_what_the_function_elsewhere_chooses() -> None:
    def choose() -> str:
        return "left"

    branches: tuple[Any, ...] = (
        lambda: BranchExternalPythonOperator(task_id="b", python_callable=choose, **HERE),
        lambda: BranchPythonVirtualenvOperator(task_id="b", python_callable=choose),
        lambda: task.branch_external_python(**HERE)(choose).override(task_id="b")().operator,
        lambda: task.branch_virtualenv(choose).override(task_id="b")().operator,
    )
    for branch in branches:
        with DAG("etl"):
            made: Any = branch()
            made >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")]
        context = context_for(made)

        assert execute(made, context) == "left"
        assert context["ti"].skipped == ["right"]


def test_a_decorated_function_runs_elsewhere_with_its_arguments_and_outputs() -> None:
    with DAG("etl"):

        @task.virtualenv(requirements=[], system_site_packages=False)
        def parts(number: int, factor: int = 2) -> dict[str, int]:
            return {"first": number, "second": number * factor}

        @task.external_python(**HERE)
        def total(found: Any) -> int:
            return sum(found)

        made: Any = parts(4)
        both = total([1, 2])

    assert made.operator.multiple_outputs
    assert made.operator.operator_name == "@task.virtualenv"
    assert execute(made.operator) == {"first": 4, "second": 8}
    assert execute(both.operator) == 3
    with DAG("etl"), pytest.raises(InvalidDag, match="missing a required argument"):
        parts()


def write_wheel(folder: Path, name: str, version: str, text: str) -> None:
    """Put a package of one module into the folder, as pip installs it."""
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", text)
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
