"""How long a try waits before the next: the same on every node, and longer for true failures only."""

from datetime import timedelta

import pytest

from flowd.domain.ids import InstanceKey
from flowd.domain.retry import RetryPolicy
from flowd.roles.retry_delay import retry_after

MINUTE = timedelta(minutes=1)
GROWING = RetryPolicy(retries=5, delay=MINUTE, exponential_backoff=True)
ONE, OTHER = InstanceKey(1), InstanceKey(2)


def test_a_delay_that_does_not_grow_is_the_policys() -> None:
    assert retry_after(RetryPolicy(retries=2, delay=MINUTE), ONE, 1, 2) == MINUTE


def test_every_node_finds_the_same_delay_and_two_tasks_that_failed_together_another() -> None:
    first, again, other = (retry_after(GROWING, key, 1, 5) for key in (ONE, ONE, OTHER))

    assert first == again != other
    assert MINUTE <= first < 2 * MINUTE


@pytest.mark.parametrize(("try_number", "most"), [(1, 2), (2, 4), (3, 8)])
def test_it_doubles_with_each_failure(try_number: int, most: int) -> None:
    assert most // 2 * MINUTE <= retry_after(GROWING, ONE, try_number, 5) < most * MINUTE


def test_tries_that_were_given_back_make_it_no_longer() -> None:
    # Nine tries were lost or interrupted, each of which raised max_tries: the tenth is the first to fail.
    assert MINUTE <= retry_after(GROWING, ONE, 10, 5 + 9) < 2 * MINUTE
