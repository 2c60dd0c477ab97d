"""Tracer: tells an OpenTelemetry collector how long runs and tries took. https://opentelemetry.io/docs/specs/otlp/

The ids of spans follow from the ledger (`domain/trace.py`), so nothing is stored or sent for them, and a span is made
when what it tells of is over. While the collector is away spans are dropped, and nothing waits for it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

from flowd.domain.assignment import Assignment
from flowd.domain.dag_run import DagRun
from flowd.domain.ids import UNMAPPED
from flowd.domain.states import RunState
from flowd.domain.trace import SpanId, parent_of_try, span_of_run, span_of_try

SEND_SECONDS = 5.0
"""How long one delivery may take, and how long a node that stops waits for its last."""

_ONE_MICROSECOND_NS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """Where spans go: `endpoint` takes OTLP over HTTP, `sample` is the share of runs that are traced."""

    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict)
    service: str
    sample: float


class Tracer:
    """Makes a span of each run and each leg of a try that this node has brought to its end."""

    def __init__(self, collector: Collector, node: str) -> None:
        """Begin to deliver what this node, called `node`, will tell."""
        self._service = collector.service
        self._share = collector.sample
        self._resource = Resource.create({"service.name": collector.service, "service.instance.id": node})
        exporter = OTLPSpanExporter(
            endpoint=f"{collector.endpoint}/v1/traces",
            headers=collector.headers,
            timeout=SEND_SECONDS,
            compression=Compression.Gzip,
        )
        self._processor: SpanProcessor = BatchSpanProcessor(exporter, export_timeout_millis=SEND_SECONDS * 1000)

    def traceparent(self, assignment: Assignment) -> str | None:
        """Return what code of this try names as the parent of its spans; None where its trace is not sampled."""
        span = span_of_try(assignment, self._service)
        return span.traceparent if span.is_sampled(self._share) else None

    def run_ended(self, run: DagRun, cause: str) -> None:
        """Tell of a run that has ended, by `cause`."""
        if run.started_at is None or run.ended_at is None:
            return
        self._tell(
            span_of_run(run, self._service),
            None,
            name=run.dag_id,
            began=run.started_at,
            ended=run.ended_at,
            attributes={"flowd.dag_id": run.dag_id, "flowd.run_id": run.run_id, "flowd.state": run.state.value},
            error=cause if run.state is RunState.FAILED else None,
        )

    def try_ended(
        self, assignment: Assignment, *, began: datetime, ended: datetime, cause: str, error: str | None
    ) -> None:
        """Tell of one leg of a try, which ended by `cause`; `error` says why where it did not end well."""
        index = {} if assignment.map_index == UNMAPPED else {"flowd.map_index": assignment.map_index}
        self._tell(
            span_of_try(assignment, self._service),
            parent_of_try(assignment, self._service),
            name=f"{assignment.dag_id}.{assignment.task_id}",
            began=began,
            ended=ended,
            attributes={
                "flowd.dag_id": assignment.dag_id,
                "flowd.run_id": assignment.run_id,
                "flowd.task_id": assignment.task_id,
                **index,
                "flowd.try_number": assignment.try_number,
                "flowd.leg": assignment.leg,
                "flowd.operator": assignment.operator,
                "flowd.queue": assignment.queue,
                "flowd.cause": cause,
            },
            error=error,
        )

    def close(self) -> None:
        """Deliver what there is; at most SEND_SECONDS."""
        self._processor.shutdown()

    def _tell(
        self,
        span: SpanId,
        parent: SpanId | None,
        *,
        name: str,
        began: datetime,
        ended: datetime,
        attributes: Mapping[str, str | int],
        error: str | None,
    ) -> None:
        if not span.is_sampled(self._share):
            return
        self._processor.on_end(
            ReadableSpan(
                name=name,
                context=_context(span),
                parent=_context(parent) if parent is not None else None,
                resource=self._resource,
                attributes=attributes,
                status=Status(StatusCode.OK) if error is None else Status(StatusCode.ERROR, error),
                start_time=_nanoseconds(began),
                end_time=_nanoseconds(max(began, ended)),
            )
        )


@asynccontextmanager
async def tracing(collector: Collector, node: str) -> AsyncIterator[Tracer]:
    """Give a tracer for the time of the context, and deliver its last spans at the end."""
    tracer = Tracer(collector, node)
    try:
        yield tracer
    finally:
        await asyncio.to_thread(tracer.close)


def _context(span: SpanId) -> SpanContext:
    return SpanContext(span.trace, span.span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * _ONE_MICROSECOND_NS
