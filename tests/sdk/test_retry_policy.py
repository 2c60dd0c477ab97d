"""Retry policies: which rule is about an error, and what it says."""

import logging
from datetime import timedelta
from http.client import IncompleteRead
from typing import Any

import pytest

from flowd import DAG, EmptyOperator
from flowd.domain.errors import InvalidDag
from flowd.sdk.retry_policy import ExceptionRetryPolicy, RetryAction, RetryDecision, RetryPolicy, RetryRule

MINUTE = timedelta(minutes=1)
POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule("http.client.HTTPException", RetryAction.RETRY, retry_delay=MINUTE, reason="busy"),
        RetryRule([KeyError, "builtins.IndexError"], RetryAction.FAIL),
        RetryRule(OSError, RetryAction.FAIL, match_subclasses=False),
        RetryRule("no.such.Error", RetryAction.FAIL),
    ],
    default=RetryAction.RETRY,
)


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (KeyError("k"), RetryDecision.fail()),
        (IndexError(), RetryDecision.fail()),
        (OSError(), RetryDecision.fail()),
        (ConnectionError(), RetryDecision.retry()),
        (ValueError(), RetryDecision.retry()),
    ],
)
def test_the_first_rule_about_an_error_decides(error: Exception, decision: RetryDecision) -> None:
    assert POLICY.evaluate(error, 1, 3) == decision


def test_a_class_is_named_by_its_path_and_one_that_is_not_there_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert POLICY.evaluate(IncompleteRead(b""), 1, 3) == RetryDecision.retry(MINUTE, "busy")
        POLICY.evaluate(ValueError(), 1, 3)

    assert "there is no exception no.such.Error on this worker" in caplog.text


@pytest.mark.parametrize("keywords", [{"retry_policy": RetryAction.FAIL}, {"retry_policy": "never"}])
def test_what_is_no_policy_is_refused(keywords: dict[str, Any]) -> None:
    with DAG("etl"), pytest.raises(InvalidDag, match="wanted a RetryPolicy"):
        EmptyOperator(task_id="t", **keywords)


def test_a_rule_needs_a_path_and_a_policy_its_method() -> None:
    with pytest.raises(InvalidDag, match="'ValueError' is no path of an exception"):
        RetryRule("ValueError")
    with pytest.raises(NotImplementedError, match="must define evaluate"):
        RetryPolicy().evaluate(ValueError(), 1, 1)
    assert RetryDecision.default() == RetryDecision()
