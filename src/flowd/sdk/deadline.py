"""DeadlineAlert and its parts: they can be written, and the DAG says that no alert will come of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class DeadlineMoment:
    """What a deadline counts from."""

    name: str
    details: Mapping[str, Any] = field(default_factory=dict)


class DeadlineReference:
    """The moments that a deadline may count from."""

    DAGRUN_LOGICAL_DATE: ClassVar[DeadlineMoment] = DeadlineMoment("dagrun_logical_date")
    DAGRUN_QUEUED_AT: ClassVar[DeadlineMoment] = DeadlineMoment("dagrun_queued_at")

    @classmethod
    def FIXED_DATETIME(cls, dt: datetime) -> DeadlineMoment:
        """Return a moment that is the same for every run."""
        return DeadlineMoment("fixed_datetime", {"moment": dt})

    @classmethod
    def AVERAGE_RUNTIME(cls, max_runs: int = 10, min_runs: int | None = None) -> DeadlineMoment:
        """Return the moment at which a run would end that takes as long as those before it."""
        return DeadlineMoment("average_runtime", {"max_runs": max_runs, "min_runs": min_runs})


@dataclass(frozen=True, slots=True)
class AsyncCallback:
    """A function to call when a deadline is missed, in the triggerer."""

    callback_callable: Callable[..., Any] | str
    kwargs: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class SyncCallback:
    """A function to call when a deadline is missed, on a worker."""

    callback_callable: Callable[..., Any] | str
    kwargs: Mapping[str, Any] | None = None
    executor: str | None = None


@dataclass(frozen=True, slots=True)
class DeadlineAlert:
    """Call `callback` where a run has not ended `interval` after `reference`."""

    reference: DeadlineMoment
    interval: timedelta
    callback: Any
    name: str | None = None
    description: str | None = None
