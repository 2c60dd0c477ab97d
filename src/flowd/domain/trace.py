"""The ids of traces and spans follow from what the ledger knows: any node finds them, and none is stored.

A run is a trace: its root span is the run, the spans below it are the legs of its tries. A `traceparent` has the form
of https://www.w3.org/TR/trace-context/.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from flowd.domain.assignment import Assignment
from flowd.domain.dag_run import DagRun
from flowd.domain.ids import DagId, RunId

_TRACE_BITS = 128
_SPAN_BITS = 64
_SAMPLED_BITS = 56


@dataclass(frozen=True, slots=True)
class SpanId:
    """One span: 128 bits of its trace and 64 of its own, neither of them 0."""

    trace: int
    span: int

    @property
    def traceparent(self) -> str:
        """What user code takes for the parent of its own spans; it says that the trace is sampled."""
        return f"00-{self.trace:032x}-{self.span:016x}-01"

    def is_sampled(self, share: float) -> bool:
        """Return True for `share` (0 to 1) of all traces: for all spans of one or for none, whichever node asks."""
        # The lowest bits decide, as OpenTelemetry's own sampler by trace id has it.
        return self.trace % (1 << _SAMPLED_BITS) < share * (1 << _SAMPLED_BITS)


def span_of_run(run: DagRun, service: str) -> SpanId:
    """Return the span of a run that has started; one that was cleared and starts again is another span in its trace."""
    return _span_of_run(service, run.dag_id, run.run_id, run.run_after, run.started_at)


def parent_of_try(assignment: Assignment, service: str) -> SpanId:
    """Return the span of the run to which the try belongs."""
    run = assignment.run
    return _span_of_run(service, assignment.dag_id, assignment.run_id, run.run_after, run.start_date)


def span_of_try(assignment: Assignment, service: str) -> SpanId:
    """Return the span of one leg of a try."""
    parent = parent_of_try(assignment, service)
    own = (assignment.task_id, assignment.map_index, assignment.try_number, assignment.leg)
    return SpanId(parent.trace, _bits(_SPAN_BITS, parent.trace, parent.span, *own))


def _span_of_run(
    service: str, dag_id: DagId, run_id: RunId, run_after: datetime, started_at: datetime | None
) -> SpanId:
    # A run that was deleted may come again under its id: then it is due at another moment.
    trace = _bits(_TRACE_BITS, service, dag_id, run_id, run_after.timestamp())
    return SpanId(trace, _bits(_SPAN_BITS, trace, started_at.timestamp() if started_at else 0))


def _bits(bits: int, *parts: object) -> int:
    text = "\0".join(map(str, parts)).encode(errors="surrogateescape")
    return int.from_bytes(sha256(text).digest()[: bits // 8], "big") or 1
