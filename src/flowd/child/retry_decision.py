"""What a task's retry policy makes of its failure."""

from dataclasses import replace
from typing import Any

from flowd.child.outcome import Ending, Outcome
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.retry_policy import RetryAction


def after_failure(task: BaseOperator, context: Any, outcome: Outcome) -> Outcome:
    """Return the outcome as the policy wants it; a policy that fails itself is logged and decides nothing."""
    policy, error = task.retry_policy, outcome.error
    if policy is None or error is None or outcome.ending is not Ending.FAILED:
        return outcome
    ti = context["ti"]
    try:
        decision = policy.evaluate(error, ti.try_number, ti.max_tries, context)
    except Exception:
        task.log.exception("the retry policy failed: the task's own retries count")
        return outcome
    if decision.reason:
        task.log.info("retry policy: %s: %s", decision.action.value, decision.reason)
    if decision.action is RetryAction.FAIL:
        return replace(outcome, ending=Ending.FAIL_WITHOUT_RETRY)
    return outcome if decision.retry_delay is None else replace(outcome, retry_delay=decision.retry_delay)
