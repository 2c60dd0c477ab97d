"""Partition mappers, windows and wait policies as authors write them: names for the values of `domain.partition`."""

from collections.abc import Iterable
from datetime import tzinfo
from enum import StrEnum
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.domain.partition import mappers, windows
from flowd.domain.partition.plan import MOST_KEYS, AssetMapper
from flowd.domain.partition.windows import Unit
from flowd.sdk.moments import zone_name


class Window:
    """The members of a period. `direction` says whether it begins or ends with the key it is for."""

    class Direction(StrEnum):
        """Where a window lies: it begins at the key (FORWARD), or ends with it."""

        FORWARD = "forward"
        BACKWARD = "backward"

    unit: Unit

    def __init__(self, *, direction: "Window.Direction" = Direction.FORWARD) -> None:
        self.direction = self.Direction(direction)

    @property
    def spec(self) -> windows.Window:
        """The window as the scheduler knows it."""
        if type(self).__module__ != __name__ or not hasattr(self, "unit"):
            raise InvalidDag(f"{type(self).__name__}: windows of an author's own are not known to flowd")
        return windows.PeriodWindow(self.unit, self.direction is self.Direction.BACKWARD)


class HourWindow(Window):
    """The minutes of an hour."""

    unit = Unit.HOUR


class DayWindow(Window):
    """The hours of a day."""

    unit = Unit.DAY


class WeekWindow(Window):
    """The days of a week."""

    unit = Unit.WEEK


class MonthWindow(Window):
    """The days of a month."""

    unit = Unit.MONTH


class QuarterWindow(Window):
    """The months of a quarter."""

    unit = Unit.QUARTER


class YearWindow(Window):
    """The months of a year."""

    unit = Unit.YEAR


class SegmentWindow(Window):
    """A fixed set of keys."""

    def __init__(self, segments: Iterable[str]) -> None:
        super().__init__()
        self._spec = windows.SegmentWindow(tuple(segments))

    @property
    def spec(self) -> windows.Window:
        """The window as the scheduler knows it."""
        return self._spec


class WaitPolicy:
    """How much of a window a rollup waits for."""

    at_least: int | None = None


class WaitForAll(WaitPolicy):
    """All of it."""


class MinimumCount(WaitPolicy):
    """So many of its keys; with a negative number all but so many."""

    def __init__(self, n: int) -> None:
        if not isinstance(n, int) or n == 0:
            raise InvalidDag(f"MinimumCount({n!r}): wanted a whole number other than 0")
        self.n = self.at_least = n


class PartitionMapper:
    """From the key of an asset's event to the keys of the runs that it is for; at most `max_downstream_keys`."""

    _spec: mappers.Mapper
    max_downstream_keys: int | None = None

    def __init__(self, *, max_downstream_keys: int | None = None) -> None:
        if max_downstream_keys is not None and (not isinstance(max_downstream_keys, int) or max_downstream_keys < 1):
            raise InvalidDag(
                f"max_downstream_keys is {max_downstream_keys!r}, wanted a whole number from 1 on, or None"
            )
        self.max_downstream_keys = max_downstream_keys

    @property
    def spec(self) -> mappers.Mapper:
        """The mapper as the scheduler knows it; raise InvalidDag for one of an author's own, which it cannot know."""
        if type(self).__module__ != __name__ or not hasattr(self, "_spec"):
            raise InvalidDag(
                f"{type(self).__name__}: partition mappers of an author's own are not known to flowd; combine "
                "those of airflow.sdk, such as ChainMapper and ProductMapper"
            )
        return self._spec

    def to_downstream(self, key: str) -> Any:
        """Return the key of the run, or the keys; raise ValueError for a key that cannot be mapped."""
        keys = mappers.to_downstream(self.spec, key)
        return keys[0] if len(keys) == 1 and not isinstance(self.spec, mappers.FanOut) else list(keys)


class IdentityMapper(PartitionMapper):
    """The run has the key of the event."""

    def __init__(self, *, max_downstream_keys: int | None = None) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        self._spec = mappers.Identity()


class FixedKeyMapper(PartitionMapper):
    """Every event is for the same key."""

    def __init__(self, downstream_key: str, *, max_downstream_keys: int | None = None) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        if not isinstance(downstream_key, str) or not downstream_key:
            raise InvalidDag(f"FixedKeyMapper({downstream_key!r}): wanted a text that is not empty")
        self._spec = mappers.Fixed(downstream_key)


class AllowedKeyMapper(PartitionMapper):
    """The same key, which must be one of these."""

    def __init__(self, allowed_keys: Iterable[str], *, max_downstream_keys: int | None = None) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        self._spec = mappers.Allowed(tuple(allowed_keys))


class _StartOf(PartitionMapper):
    unit: Unit

    def __init__(
        self,
        *,
        timezone: str | tzinfo = "UTC",
        input_format: str = mappers.KEY_FORMAT,
        output_format: str | None = None,
        max_downstream_keys: int | None = None,
    ) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        zone = timezone if isinstance(timezone, str) else zone_name(timezone)
        if zone is None:
            raise InvalidDag(f"{type(self).__name__}: the time zone {timezone!r} has no name; use 'Europe/Zurich'")
        self._spec = mappers.StartOf(
            unit=self.unit, timezone=zone, input_format=input_format, output_format=output_format or ""
        )


class StartOfHourMapper(_StartOf):
    """The hour that the event's moment is in: `2024-03-13T10`."""

    unit = Unit.HOUR


class StartOfDayMapper(_StartOf):
    """The day: `2024-03-13`."""

    unit = Unit.DAY


class StartOfWeekMapper(_StartOf):
    """The Monday of the week: `2024-03-11 (W11)`."""

    unit = Unit.WEEK


class StartOfMonthMapper(_StartOf):
    """The month: `2024-03`."""

    unit = Unit.MONTH


class StartOfQuarterMapper(_StartOf):
    """The quarter: `2024-Q1`."""

    unit = Unit.QUARTER


class StartOfYearMapper(_StartOf):
    """The year: `2024`."""

    unit = Unit.YEAR


class ProductMapper(PartitionMapper):
    """A key of several parts, each with a mapper of its own."""

    def __init__(self, *parts: PartitionMapper, delimiter: str = "|", max_downstream_keys: int | None = None) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        self._spec = mappers.Product(_several(self, parts), delimiter)


class ChainMapper(PartitionMapper):
    """One mapper after the other."""

    def __init__(self, *parts: PartitionMapper, max_downstream_keys: int | None = None) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        self._spec = mappers.Chain(_several(self, parts))


class RollupMapper(PartitionMapper):
    """Waits for the keys of a window."""

    def __init__(
        self,
        *,
        upstream_mapper: PartitionMapper,
        window: Window,
        wait_policy: WaitPolicy | None = None,
        max_downstream_keys: int | None = None,
    ) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        policy = wait_policy or WaitForAll()
        self._spec = mappers.Rollup(upstream=upstream_mapper.spec, window=window.spec, at_least=policy.at_least)


class FanOutMapper(PartitionMapper):
    """A run for each member of a window."""

    def __init__(
        self,
        *,
        upstream_mapper: PartitionMapper,
        window: Window,
        downstream_mapper: PartitionMapper | None = None,
        max_downstream_keys: int | None = None,
    ) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        downstream = None if downstream_mapper is None else downstream_mapper.spec
        self._spec = mappers.FanOut(upstream=upstream_mapper.spec, window=window.spec, downstream=downstream)


def asset_mapper(mapper: PartitionMapper) -> AssetMapper:
    """Return the mapper of an asset as the scheduler knows it."""
    return AssetMapper(mapper=mapper.spec, most_keys=mapper.max_downstream_keys or MOST_KEYS)


def _several(mapper: PartitionMapper, parts: tuple[PartitionMapper, ...]) -> tuple[mappers.Mapper, ...]:
    if len(parts) < 2:
        raise InvalidDag(f"{type(mapper).__name__} has {len(parts)} mappers, wanted two or more")
    return tuple(one.spec for one in parts)
