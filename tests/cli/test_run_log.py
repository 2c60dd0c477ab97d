"""`flowd runs logs`: what all tasks of a run wrote."""

from pathlib import Path

import pytest

from tests.cli.conftest import Flowd
from tests.cli.seed import seed


@pytest.fixture
async def filled(home: Path) -> None:
    await seed(home)


def test_each_line_stands_behind_its_task_and_who_wrote_nothing_is_named(filled: None, flowd: Flowd) -> None:
    outcome = flowd("runs", "logs", "etl", "two")

    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "extract | [2026-01-01T12:00:00.000001Z] hello",
        "extract | [2026-01-01T12:00:01Z] oh no",
    ]
    assert "load: there is no log" in outcome.err


def test_only_tasks_in_a_state_may_be_asked_for(filled: None, flowd: Flowd) -> None:
    outcome = flowd("runs", "logs", "etl", "two", "--state", "failed")

    assert (outcome.code, outcome.out) == (0, "")
    assert "load: there is no log" in outcome.err


def test_a_run_that_has_failed_is_not_followed_for_ever_and_the_exit_code_says_so(filled: None, flowd: Flowd) -> None:
    flowd("runs", "mark", "etl", "two", "failed")

    outcome = flowd("runs", "logs", "etl", "two", "--follow")

    assert outcome.code == 1
    assert "extract | [2026-01-01T12:00:00.000001Z] hello" in outcome.out


def test_a_run_that_is_not_there_is_an_error(filled: None, flowd: Flowd) -> None:
    outcome = flowd("runs", "logs", "etl", "nowhere")

    assert outcome.code == 3
    assert "nowhere" in outcome.err
