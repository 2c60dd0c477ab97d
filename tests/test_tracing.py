"""Tracer: what it delivers, and what it leaves out."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from flowd.domain.dag_run import DagRun
from flowd.domain.ids import BundleHash, DagId, RunId, RunKey
from flowd.domain.states import RunState
from flowd.tracing import Collector, Tracer
from tests.support.otlp_collector import OtlpCollector, an_otlp_collector
from tests.support.specs import an_assignment

AT = datetime(2026, 1, 31, tzinfo=UTC)
FAILED = DagRun(
    key=RunKey(1),
    dag_id=DagId("etl"),
    run_id=RunId("r"),
    dag_version=1,
    bundle=BundleHash("b"),
    state=RunState.FAILED,
    run_after=AT,
    started_at=AT,
    ended_at=AT + timedelta(seconds=90),
)


@pytest.fixture
def collector() -> Iterator[OtlpCollector]:
    with an_otlp_collector() as one:
        yield one


def a_tracer(collector: OtlpCollector, sample: float = 1.0) -> Tracer:
    return Tracer(Collector(endpoint=collector.url, service="flowd", sample=sample), "node1")


def test_a_failed_run_says_why_and_how_long(collector: OtlpCollector) -> None:
    tracer = a_tracer(collector)
    tracer.run_ended(FAILED, "timed out")
    tracer.close()

    (span,) = collector.spans
    assert (span.name, span.seconds, span.is_error, span.message) == ("etl", 90.0, True, "timed out")
    assert span.resource["service.instance.id"] == "node1"


def test_a_mapped_try_has_its_index_and_ends_no_earlier_than_it_began(collector: OtlpCollector) -> None:
    tracer = a_tracer(collector)
    one = an_assignment(map_index=3)
    tracer.try_ended(one, began=AT, ended=AT - timedelta(seconds=1), cause="succeeded", error=None)
    tracer.close()

    (span,) = collector.spans
    assert (span.name, span.seconds, span.is_error) == ("etl.load", 0.0, False)
    assert span.attributes["flowd.map_index"] == 3


def test_what_is_not_sampled_is_neither_told_nor_named_to_tasks(collector: OtlpCollector) -> None:
    tracer = a_tracer(collector, sample=0.0)
    tracer.run_ended(FAILED, "timed out")
    tracer.try_ended(an_assignment(), began=AT, ended=AT, cause="succeeded", error=None)
    tracer.close()

    assert tracer.traceparent(an_assignment()) is None
    assert collector.spans == []
