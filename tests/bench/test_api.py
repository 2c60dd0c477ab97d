"""The bench of the API: load by a real wrk on a real route, requests that name what is there, and a table of growth."""

import socket

import pytest

from bench.api.bare_route import PATH, bare_route
from bench.api.calls import CALLS, DIFFERENT, requests_of
from bench.api.figures import rows_of, summary
from bench.api.wrk import Answers, Request, load
from bench.pages.page_map import Known

KNOWN = Known(runs={"pages_0001": ["scheduled__1", "scheduled__a/b", "manual__1"], "bench_mapped_500": ["x"]}, assets=1)


def test_wrk_tells_how_many_answers_came_and_how_long_they_took() -> None:
    with bare_route() as port:
        answers = load(port, "", [Request(PATH), Request(f"{PATH}?again")], 1)

    assert answers.a_second > 10
    assert 0 < answers.p50 <= answers.p99 < 5


def test_a_refusal_is_no_answer() -> None:
    with bare_route() as port, pytest.raises(RuntimeError, match=r"were no success.*: the first request was GET /none"):
        load(port, "", [Request("/none")], 1)


def test_where_no_answer_comes_the_wait_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answers = load(silent.getsockname()[1], "", [Request(PATH)], 1)

    assert answers == Answers(a_second=0.0, p50=1, p99=1)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_asks_for_what_is_there(name: str) -> None:
    requests = requests_of(name, KNOWN)

    assert len(requests) == DIFFERENT
    assert all(one.path.startswith("/api/v2/") and not set(one.path) & set(" \t\n") for one in requests)
    assert not any("manual__" in one.path for one in requests)
    assert requests == requests_of(name, KNOWN)


def test_the_table_says_which_calls_grow_by_more_than_they_may() -> None:
    bare, quick, slow = (
        Answers(a_second=rate, p50=p99 / 2, p99=p99) for rate, p99 in ((1000, 0.01), (100, 0.02), (50, 0.08))
    )
    small = {"a": quick, "b": quick}
    large = {"a": quick, "b": slow}

    assert rows_of(bare, small, large)[3] == (
        "b", "50", "5.0 %", "40.0 ms", "80.0 ms", "10.0 ms", "20.0 ms", "4.00 x"
    )  # fmt: skip
    assert summary(small, large) == "1 of 2 calls take at most 3 times as long; not b"
