"""BashOperator when it runs in Python: environment, folder, exit codes, output, killing."""

import threading
from pathlib import Path
from typing import Any

import pytest

from flowd import DAG, BashOperator
from flowd.sdk.exceptions import AirflowException, AirflowSkipException
from tests.operators.running import context_for, execute
from tests.support.node_process import eventually


def bash(command: str, **keywords: Any) -> BashOperator:
    with DAG("etl"):
        return BashOperator(task_id="load", bash_command=command, owner="ana", **keywords)


def test_the_output_is_the_log_and_its_last_line_the_value(capsys: pytest.CaptureFixture[str]) -> None:
    value = execute(bash("echo one; echo {{ run_id }} >&2; printf 'two\\n\\n'"))

    assert value == "two"
    assert capsys.readouterr().out == "one\nmanual__1\ntwo\n\n"


def test_output_that_is_no_text_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    execute(bash(r"printf 'a\xff\n'"))

    assert capsys.readouterr().out == "a\\xff\n"


def test_the_environment_is_inherited_extended_or_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHERITED", "yes")
    show = 'echo "${INHERITED-no} ${ADDED-no} ${PATH:+path} $AIRFLOW_CTX_DAG_ID $AIRFLOW_CTX_DAG_OWNER"'

    assert execute(bash(show)) == "yes no path etl ana"
    assert execute(bash(show, env={"ADDED": "{{ ti.try_number }}"}, append_env=True)) == "yes 1 path etl ana"
    assert execute(bash(show, env={"ADDED": "1"})) == "no 1 path etl ana"


def test_the_folder_is_one_of_its_own_or_the_given(tmp_path: Path) -> None:
    own = Path(execute(bash("pwd")))

    assert not own.exists()
    assert execute(bash("pwd", cwd=str(tmp_path))) == str(tmp_path)
    with pytest.raises(AirflowException, match="cwd '/no/such' is no folder on this worker"):
        execute(bash("true", cwd="/no/such"))


@pytest.mark.parametrize(
    ("command", "keywords", "error", "message"),
    [
        ("exit 3", {}, AirflowException, "exited with 3; wanted 0"),
        ("kill -9 $$", {}, AirflowException, "exited with 137"),
        ("exit 99", {}, AirflowSkipException, "exited with 99, which means: skip"),
        ("exit 5", {"skip_on_exit_code": [4, 5]}, AirflowSkipException, "exited with 5"),
        ("exit 99", {"skip_on_exit_code": None}, AirflowException, "exited with 99; wanted 0"),
    ],
)
def test_the_exit_code_decides(command: str, keywords: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as failure:
        execute(bash(command, **keywords))

    assert type(failure.value) is error


def test_a_script_file_is_rendered(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("echo {{ task.task_id }}\n")
    task = bash("run.sh")
    task.dag.fileloc = str(tmp_path / "dag.py")

    assert execute(task) == "load"


def test_an_output_processor_makes_the_value() -> None:
    assert execute(bash("echo 41", output_processor=lambda line: int(line) + 1)) == 42


def test_an_unknown_encoding_fails_the_task_and_leaves_no_command_behind() -> None:
    task = bash("echo $$; exec sleep 60", output_encoding="utf-9")

    with pytest.raises(LookupError, match="utf-9"):
        execute(task)

    assert task._process is not None
    assert task._process.relay(lambda _: None) == 143


def test_on_kill_ends_the_command_and_what_it_started(capsys: pytest.CaptureFixture[str]) -> None:
    # The background shell says itself that it is there: a signal before that could be lost in its fork. And what the
    # operator has printed comes from a process that it knows: before that it would have nothing to kill.
    task = bash("(echo started; exec sleep 60) & wait")
    context = context_for(task)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            task.execute(context)
        except AirflowException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    eventually(lambda: "started" in capsys.readouterr().out, "the command to start")
    task.on_kill()
    thread.join(10)

    assert not thread.is_alive()
    assert "exited with 143" in str(failures[0])
