"""What the end of a process tree means for its try."""

from datetime import timedelta
from typing import Any

import pytest

from flowd.child.launch import Ended, EndedBy
from flowd.domain.retry import RetryPolicy
from flowd.domain.task_events import Cancelled, Failed, Interrupted, Rescheduled
from flowd.domain.task_machine import LONGEST_WAIT
from flowd.roles.worker.verdict import Verdict, judge
from tests.support.specs import NOW, TOKEN, an_assignment


def verdict(ended: Ended, *, is_interrupted: bool = False, **fields: Any) -> Verdict:
    return judge(an_assignment(**fields), TOKEN, ended, is_interrupted=is_interrupted, now=NOW)


def test_a_try_broken_off_by_its_worker_uses_no_retry_and_one_by_a_user_ends() -> None:
    killed = Ended(by=EndedBy.CANCEL, signal=15)

    assert verdict(killed, is_interrupted=True).event == Interrupted(TOKEN)
    assert verdict(killed).event == Cancelled(TOKEN)


def test_a_try_that_could_not_begin_fails_unless_its_worker_is_to_blame() -> None:
    ended = Ended(by=EndedBy.NOT_STARTED, error="no such folder")

    assert isinstance(verdict(ended).event, Failed)
    assert verdict(ended, is_interrupted=True).event == Interrupted(TOKEN)
    assert verdict(ended).measured.error == "no such folder"


def test_no_wait_is_longer_than_a_century() -> None:
    failed = Ended(by=EndedBy.EXIT, exit_code=1)
    poke = Ended(by=EndedBy.EXIT, exit_code=0, result={"outcome": "reschedule", "until": "9999-12-31T00:00:00+00:00"})

    event = verdict(failed, retry=RetryPolicy(retries=1, delay=timedelta.max)).event

    assert event == Failed(TOKEN, LONGEST_WAIT)
    assert verdict(poke).event == Rescheduled(TOKEN, LONGEST_WAIT)


def test_a_task_may_say_how_long_its_next_try_waits() -> None:
    def event(seconds: float) -> Any:
        result = {"outcome": "failed", "error": {"message": "x"}, "retry_delay": seconds}
        return verdict(Ended(by=EndedBy.EXIT, result=result)).event

    assert event(7) == Failed(TOKEN, timedelta(seconds=7))
    assert event(-7) == Failed(TOKEN, timedelta(0))
    assert event(1e12) == Failed(TOKEN, LONGEST_WAIT)


def test_the_text_of_an_error_can_be_stored() -> None:
    result = {"outcome": "failed", "error": {"message": "no file caf\udce9 \ud800\0!"}}

    assert verdict(Ended(by=EndedBy.EXIT, result=result)).measured.error == "no file caf\\udce9 \\ud800\\x00!"


@pytest.mark.parametrize(
    "result",
    [
        {"outcome": "reschedule", "until": "9999-12-31T23:59:59-23:00"},
        {"outcome": "reschedule", "until": 5},
        {"outcome": "reschedule"},
        {"outcome": "failed", "error": "text"},
        {"outcome": "success", "skip": 3},
        {"outcome": ["success"]},
    ],
)
def test_a_result_that_makes_no_sense_is_a_failure(result: dict[str, Any]) -> None:
    assert isinstance(verdict(Ended(by=EndedBy.EXIT, result=result)).event, Failed)


def test_the_name_of_a_map_index_comes_with_any_outcome_and_can_be_stored() -> None:
    def name(**result: Any) -> str | None:
        return verdict(Ended(by=EndedBy.EXIT, result=result)).rendered_map_index

    assert name(outcome="success", rendered_map_index="north\0") == "north\\x00"
    assert name(outcome="failed", rendered_map_index="north") == "north"
    assert name(outcome="success") is None
    assert isinstance(
        verdict(Ended(by=EndedBy.EXIT, result={"outcome": "success", "rendered_map_index": 7})).event, Failed
    )
