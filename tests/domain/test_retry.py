"""Delays between tries."""

from collections.abc import Callable
from datetime import timedelta
from json import dumps, loads

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.errors import InvalidDag
from flowd.domain.retry import DEFAULT_MAX_DELAY, RetryPolicy, delay_before

durations = st.timedeltas(timedelta(0), timedelta(days=30))
jitters = st.floats(0, 1, exclude_max=True)
policies = st.builds(
    RetryPolicy,
    retries=st.integers(0, 1000),
    delay=durations,
    exponential_backoff=st.one_of(st.booleans(), st.floats(0, 100)),
    max_delay=st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=60)),
)


@pytest.mark.parametrize(
    ("backoff", "max_delay", "try_number", "jitter", "seconds"),
    [
        (False, None, 2, 0.9, 10),
        (False, None, 9, 0.0, 10),
        (1.0, None, 9, 0.5, 10),
        (False, 3, 9, 0.0, 10),
        (True, None, 2, 0.0, 10),
        (True, None, 3, 0.0, 20),
        (True, None, 5, 0.0, 80),
        (True, None, 3, 0.5, 30),
        (3.0, None, 4, 0.0, 90),
        (True, 60, 4, 0.0, 40),
        (True, 60, 5, 0.0, 60),
        (True, 60, 4, 0.9, 60),
        (True, None, 40, 0.0, 24 * 3600),
        (True, 48 * 3600, 40, 0.0, 48 * 3600),
        (0.5, None, 3, 0.0, 5),
        (0.5, None, 30, 0.0, 1),
    ],
)
def test_the_delay_grows_by_the_multiplier_and_stops_at_the_cap(
    backoff: bool | float, max_delay: int | None, try_number: int, jitter: float, seconds: int
) -> None:
    policy = RetryPolicy(
        retries=50,
        delay=timedelta(seconds=10),
        exponential_backoff=backoff,
        max_delay=None if max_delay is None else timedelta(seconds=max_delay),
    )

    assert delay_before(policy, try_number, jitter) == timedelta(seconds=seconds)


def test_a_growing_delay_of_nothing_is_a_second_so_that_retries_do_not_spin() -> None:
    policy = RetryPolicy(retries=3, delay=timedelta(0), exponential_backoff=True)

    assert delay_before(policy, 4, 0.0) == timedelta(seconds=1)


@given(policies, st.integers(2, 10**400), jitters)
def test_no_number_of_tries_overflows_or_passes_the_cap(policy: RetryPolicy, try_number: int, jitter: float) -> None:
    delay = delay_before(policy, try_number, jitter)

    assert timedelta(0) <= delay
    assert delay <= (policy.max_delay or DEFAULT_MAX_DELAY) or (policy.multiplier == 1 and delay == policy.delay)


@given(policies.filter(lambda policy: policy.multiplier >= 1), st.integers(2, 100), jitters)
def test_a_later_try_never_waits_less_for_the_same_jitter(policy: RetryPolicy, try_number: int, jitter: float) -> None:
    assert delay_before(policy, try_number, jitter) <= delay_before(policy, try_number + 1, jitter)


@given(policies)
def test_a_policy_survives_json(policy: RetryPolicy) -> None:
    assert RetryPolicy.from_json(loads(dumps(policy.to_json()))) == policy


def test_doubling_and_a_multiplier_of_one_are_different_policies() -> None:
    assert RetryPolicy(exponential_backoff=True) != RetryPolicy(exponential_backoff=1.0)
    assert RetryPolicy(exponential_backoff=True) == RetryPolicy(exponential_backoff=2.0)


def test_the_defaults_are_airflows() -> None:
    assert RetryPolicy() == RetryPolicy(
        retries=0, delay=timedelta(seconds=300), exponential_backoff=False, max_delay=None
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RetryPolicy(retries=-1), "retries is -1, wanted 0 or more"),
        (lambda: RetryPolicy(delay=timedelta(seconds=-1)), "retry_delay is datetime.timedelta"),
        (lambda: RetryPolicy(exponential_backoff=-2.0), "retry_exponential_backoff is -2.0, wanted True, False"),
        (lambda: RetryPolicy(exponential_backoff=float("nan")), "retry_exponential_backoff is nan"),
        (
            lambda: RetryPolicy(max_delay=timedelta(0)),
            r"max_retry_delay is datetime.timedelta\(0\), wanted more than 0",
        ),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_name(make: Callable[[], RetryPolicy], message: str) -> None:
    with pytest.raises(InvalidDag, match=message):
        make()


def test_the_first_try_has_no_delay_to_ask_for() -> None:
    with pytest.raises(ValueError, match="try 1 is not a retry"):
        delay_before(RetryPolicy(), 1, 0.0)


@pytest.mark.parametrize("jitter", [-0.1, 1.0])
def test_a_jitter_out_of_range_is_refused(jitter: float) -> None:
    with pytest.raises(ValueError, match="wanted 0 <= jitter < 1"):
        delay_before(RetryPolicy(), 2, jitter)
