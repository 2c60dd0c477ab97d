"""The ids of spans: the same on every node, no two alike, and sampled by the trace."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.assignment import Assignment, RunContext, assignment_from_json, assignment_to_json
from flowd.domain.dag_run import DagRun
from flowd.domain.ids import BundleHash, DagId, RunId, RunKey, TaskId
from flowd.domain.states import RunType
from flowd.domain.trace import parent_of_try, span_of_run, span_of_try
from tests.support.specs import an_assignment

AT = datetime(2026, 1, 31, 12, 0, 0, 123456, UTC)
RUN = DagRun(
    key=RunKey(1),
    dag_id=DagId("d"),
    run_id=RunId("r"),
    dag_version=1,
    bundle=BundleHash("b"),
    run_after=AT,
    started_at=AT + timedelta(seconds=1),
)


def a_try(**fields: object) -> Assignment:
    context = RunContext(run_type=RunType.MANUAL, run_after=RUN.run_after, start_date=RUN.started_at)
    return an_assignment(**{"dag_id": DagId("d"), "run_id": RunId("r"), "run": context, **fields})


def test_a_worker_finds_the_span_of_the_run_that_the_scheduler_tells_of() -> None:
    received = assignment_from_json(assignment_to_json(a_try()))

    assert parent_of_try(received, "flowd") == span_of_run(RUN, "flowd")
    assert span_of_try(received, "flowd").trace == span_of_run(RUN, "flowd").trace


@pytest.mark.parametrize(
    "other", [{"task_id": TaskId("other")}, {"map_index": 3}, {"try_number": 2}, {"leg": 1}], ids=str
)
def test_each_leg_of_each_try_is_a_span_of_its_own(other: dict[str, object]) -> None:
    one, another = span_of_try(a_try(), "flowd"), span_of_try(a_try(**other), "flowd")

    assert one.trace == another.trace
    assert one.span != another.span


def test_a_run_that_was_cleared_is_another_span_of_the_same_trace() -> None:
    again = span_of_run(replace(RUN, started_at=AT + timedelta(hours=1)), "flowd")

    assert again.trace == span_of_run(RUN, "flowd").trace
    assert again.span != span_of_run(RUN, "flowd").span


@pytest.mark.parametrize(
    "other",
    [{"dag_id": DagId("other")}, {"run_id": RunId("other")}, {"run_after": AT + timedelta(days=1)}],
    ids=lambda one: next(iter(one)),
)
def test_each_run_is_a_trace_of_its_own(other: dict[str, object]) -> None:
    assert span_of_run(replace(RUN, **other), "flowd").trace != span_of_run(RUN, "flowd").trace  # type: ignore[arg-type]


def test_two_installations_share_no_traces() -> None:
    assert span_of_run(RUN, "flowd").trace != span_of_run(RUN, "flowd-test").trace


def test_a_traceparent_is_as_the_standard_has_it() -> None:
    version, trace, span, flags = span_of_try(a_try(), "flowd").traceparent.split("-")

    assert (version, flags) == ("00", "01")
    assert (len(trace), len(span)) == (32, 16)
    assert int(trace, 16) and int(span, 16)


@given(st.text(min_size=1), st.floats(0, 1))
def test_all_spans_of_a_run_are_sampled_or_none(run_id: str, share: float) -> None:
    run = span_of_run(replace(RUN, run_id=RunId(run_id)), "flowd")
    one = span_of_try(a_try(run_id=RunId(run_id)), "flowd")

    assert run.is_sampled(share) == one.is_sampled(share)
    assert run.is_sampled(1) and not run.is_sampled(0)


def test_a_share_of_the_runs_is_about_that_share() -> None:
    runs = [span_of_run(replace(RUN, run_id=RunId(f"r{number}")), "flowd") for number in range(2000)]

    assert 400 < sum(run.is_sampled(0.25) for run in runs) < 600
