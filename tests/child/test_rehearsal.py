"""Rehearsal: a task that nobody knows is run, and nothing of it is left but what the next task needs as well."""

import logging
import subprocess
import sys

import pytest

from flowd.child.rehearsal import Rehearsal
from flowd.domain.stored_value import PATH_VARIABLE, THRESHOLD_VARIABLE
from flowd.sdk.context import get_current_context
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.supervisor import NoSupervisor, ask


@pytest.fixture(autouse=True)
def unchanged_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])


def test_after_a_rehearsal_there_is_no_task_and_logging_is_that_of_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    Rehearsal().play()
    [handler] = logging.getLogger().handlers
    Rehearsal().play(1)

    assert logging.getLogger().handlers == [handler]
    assert isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout
    assert "Done. Returned value was: None" in capsys.readouterr().out
    with pytest.raises(AirflowException, match="outside of a running task"):
        get_current_context()
    with pytest.raises(NoSupervisor):
        ask("context")


def test_what_the_store_of_xcoms_needs_is_imported_before_any_task_is_forked() -> None:
    code = "import sys; from flowd.child.rehearsal import Rehearsal; Rehearsal(); print('s3fs' in sys.modules)"
    environ = {PATH_VARIABLE: "s3://bucket", THRESHOLD_VARIABLE: "0"}

    said = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, check=True, text=True).stdout

    assert said == "True\n"
