"""DeadlineAlert and its parts: who is to be called when a run has not ended in time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from flowd.domain.deadline import DeadlineKind, DeadlineSpec
from flowd.domain.errors import InvalidDag
from flowd.sdk.arguments import as_aware


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
    """What to call when a deadline is missed: a function, a coroutine function, a notifier's class, or its path."""

    callback_callable: Callable[..., Any] | str
    kwargs: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class SyncCallback:
    """As AsyncCallback: both are called in a child process of the scheduler."""

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


def alerts_of(given: Any) -> list[DeadlineAlert]:
    """Return the alerts of a DAG's `deadline=`, one or several, less those that no moment can be worked out for."""
    several = given if isinstance(given, (list, tuple)) else [] if given is None else [given]
    return [one for one in several if one.reference.name in _KINDS]


def deadlines_of(given: Any, where: str) -> tuple[DeadlineSpec, ...]:
    """Return what the scheduler knows of the alerts, in the order of `alerts_of`; raise InvalidDag for what is none."""
    several = given if isinstance(given, (list, tuple)) else [] if given is None else [given]
    for one in several:
        if not isinstance(one, DeadlineAlert) or not isinstance(one.interval, timedelta):
            raise InvalidDag(f"{where}: deadline is {one!r}, wanted a DeadlineAlert with a timedelta as its interval")
    return tuple(
        DeadlineSpec(
            kind=_KINDS[one.reference.name],
            interval=one.interval,
            moment=as_aware(one.reference.details.get("moment"), None, f"{where}: deadline"),
        )
        for one in alerts_of(given)
    )


_KINDS = {
    "dagrun_logical_date": DeadlineKind.LOGICAL_DATE,
    "dagrun_queued_at": DeadlineKind.QUEUED_AT,
    "fixed_datetime": DeadlineKind.FIXED,
}
