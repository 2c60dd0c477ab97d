"""Partition mappers: from the key of an event to the keys of the runs that it is for."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from zoneinfo import ZoneInfo

from flowd.domain.errors import InvalidDag
from flowd.domain.partition.windows import PeriodWindow, SegmentWindow, Unit, Window, members, start_of

KEY_FORMAT = "%Y-%m-%dT%H:%M:%S"
"""How keys are written that a schedule makes, and read where nothing else is said."""

FORMATS = {
    Unit.HOUR: "%Y-%m-%dT%H",
    Unit.DAY: "%Y-%m-%d",
    Unit.WEEK: "%Y-%m-%d (W%V)",
    Unit.MONTH: "%Y-%m",
    Unit.QUARTER: "%Y-Q{quarter}",
    Unit.YEAR: "%Y",
}
"""How each period is written."""

_PART_OF = {
    Unit.DAY: Unit.HOUR,
    Unit.WEEK: Unit.DAY,
    Unit.MONTH: Unit.DAY,
    Unit.QUARTER: Unit.MONTH,
    Unit.YEAR: Unit.MONTH,
}
"""How the members of a fanned-out window are written where nothing else is said."""

_FIELDS = {"%Y": r"(?P<Y>\d{4})", "{quarter}": "(?P<quarter>[1-4])"} | {
    f"%{one}": rf"(?P<{one}>\d{{2}})" for one in "mdHMSVUW"
}
_NEEDED = {Unit.WEEK: {"Y", "m", "d"}, Unit.QUARTER: {"Y", "quarter"}}
"""What strptime cannot read is read by a pattern, which must find these."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The run has the key of the event."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Every event is for this key."""

    key: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """The same key, which must be one of these."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOf:
    """The period that the event's moment is in, by the clock of a time zone."""

    unit: Unit
    timezone: str = "UTC"
    input_format: str = KEY_FORMAT
    output_format: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "output_format", self.output_format or FORMATS[self.unit])
        try:
            ZoneInfo(self.timezone)
            re.compile(_pattern(self.output_format))
        except (KeyError, ValueError, OSError) as error:
            raise InvalidDag(f"mapper of the {self.unit}: unknown time zone {self.timezone!r}") from error
        except re.error as error:
            raise InvalidDag(f"mapper of the {self.unit}: output_format {self.output_format!r}: {error}") from error


@dataclass(frozen=True, slots=True)
class Product:
    """A key of several parts, each with a mapper of its own."""

    parts: tuple["Mapper", ...]
    delimiter: str = "|"


@dataclass(frozen=True, slots=True)
class Chain:
    """One mapper after the other."""

    parts: tuple["Mapper", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """Waits for the keys of a window: for all, for `at_least` so many, or, where that is negative, for all but so many.

    Raises InvalidDag where the mapper's keys cannot be members of the window.
    """

    upstream: "Mapper"
    window: Window
    at_least: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.upstream, StartOf) is isinstance(self.window, SegmentWindow):
            raise InvalidDag(
                f"RollupMapper: a {type(self.window).__name__} does not go with {type(self.upstream).__name__}; a "
                "window of time needs a mapper such as StartOfDayMapper, a SegmentWindow any other"
            )
        if self.at_least == 0:
            raise InvalidDag("MinimumCount(0) waits for nothing; wanted a count, or how many may be missing as -1")


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """A run for each member of the window that begins, or ends, at the event's key.

    Raises InvalidDag where nothing says how the members are written.
    """

    upstream: "Mapper"
    window: Window
    downstream: "Mapper | None" = None

    def __post_init__(self) -> None:
        unit = self.window.unit if isinstance(self.window, PeriodWindow) else None
        if self.downstream is None and unit not in _PART_OF:
            raise InvalidDag(f"FanOutMapper: for {self.window} give it a downstream_mapper")
        if self.downstream is None and unit is not None:
            object.__setattr__(self, "downstream", StartOf(unit=_PART_OF[unit]))


Mapper = Identity | Fixed | Allowed | StartOf | Product | Chain | Rollup | FanOut


def to_downstream(mapper: Mapper, key: str) -> tuple[str, ...]:
    """Return the keys that an event with `key` is for, each once; raise ValueError for a key that cannot be mapped."""
    match mapper:
        case Identity():
            return (key,)
        case Fixed(fixed):
            return (fixed,)
        case Allowed(keys):
            return (_one_of(keys, key),)
        case StartOf():
            return (_write(mapper, start_of(mapper.unit, _read(mapper, key))),)
        case Product():
            return (_joined(mapper, key),)
        case Chain():
            return _chained(mapper, key)
        case Rollup(upstream=upstream):
            return to_downstream(upstream, key)
        case FanOut():
            return _fanned_out(mapper, key)
        case _:
            assert_never(mapper)


def moment_of(mapper: Mapper, key: str) -> datetime | None:
    """Return where the period of a run's key begins; None for a key that says no moment, or several.

    Raises ValueError for a key that the mapper cannot have made.
    """
    match mapper:
        case Identity() | Fixed() | Allowed():
            return None
        case StartOf():
            return start_of(mapper.unit, _localised(mapper, _decoded(mapper, key)))
        case Product(parts, delimiter):
            segments = key.split(delimiter)
            if len(segments) != len(parts):
                return None
            moments = [moment_of(part, one) for part, one in zip(parts, segments, strict=True)]
            found = [one for one in moments if one is not None]
            return found[0] if len(found) == 1 else None
        case Chain(parts):
            return moment_of(parts[-1], key)
        case Rollup(upstream=upstream):
            return moment_of(upstream, key)
        case FanOut(downstream=downstream):
            assert downstream is not None
            return moment_of(downstream, key)
        case _:
            assert_never(mapper)


def awaited(rollup: Rollup, key: str) -> frozenset[str]:
    """Return the keys of events that a run of this key is about; raise ValueError for a key that cannot be."""
    upstream = rollup.upstream
    found = _members(rollup.window, _decode(upstream, key))
    return frozenset(
        _localised(upstream, one).strftime(upstream.input_format)
        if isinstance(upstream, StartOf) and isinstance(one, datetime)
        else str(one)
        for one in found
    )


def has_arrived(mapper: Mapper, key: str, sources: Collection[str]) -> bool:
    """Return True where events with the keys `sources`, at least one, are all that a run of `key` waits for."""
    if not isinstance(mapper, Rollup):
        return True
    wanted = awaited(mapper, key)
    count, least = len(wanted.intersection(sources)), mapper.at_least
    if least is None:
        return count == len(wanted)
    if least > 0:
        return least <= len(wanted) and count >= least
    return count >= max(0, len(wanted) + least)


def _one_of(keys: tuple[str, ...], key: str) -> str:
    if key not in keys:
        raise ValueError(f"{key!r} is none of the keys {list(keys)}")
    return key


def _joined(mapper: Product, key: str) -> str:
    segments = key.split(mapper.delimiter)
    if len(segments) != len(mapper.parts):
        raise ValueError(f"{key!r} has {len(segments)} parts, wanted {len(mapper.parts)}")
    return mapper.delimiter.join(_only(part, one) for part, one in zip(mapper.parts, segments, strict=True))


def _chained(mapper: Chain, key: str) -> tuple[str, ...]:
    keys: tuple[str, ...] = (key,)
    for part in mapper.parts:
        keys = tuple(dict.fromkeys(mapped for one in keys for mapped in to_downstream(part, one)))
    return keys


def _fanned_out(mapper: FanOut, key: str) -> tuple[str, ...]:
    assert mapper.downstream is not None
    found = _members(mapper.window, _decode(mapper.upstream, _only(mapper.upstream, key)))
    return tuple(dict.fromkeys(_written(mapper.downstream, one) for one in found))


def _only(mapper: Mapper, key: str) -> str:
    keys = to_downstream(mapper, key)
    if len(keys) != 1:
        raise ValueError(f"{key!r} gives {len(keys)} keys, where one is wanted")
    return keys[0]


def _members(window: Window, anchor: datetime | str) -> list[datetime] | tuple[str, ...]:
    if isinstance(window, SegmentWindow):
        return window.keys
    if isinstance(anchor, str):
        raise ValueError(f"{anchor!r} is no moment, which the window of a {window.unit} wants")
    return members(window, anchor)


def _decode(mapper: Mapper, key: str) -> datetime | str:
    return _decoded(mapper, key) if isinstance(mapper, StartOf) else key


def _decoded(mapper: StartOf, key: str) -> datetime:
    if mapper.unit not in _NEEDED:
        return datetime.strptime(key, mapper.output_format)
    found = re.fullmatch(_pattern(mapper.output_format), key)
    values = found.groupdict() if found else {}
    if not _NEEDED[mapper.unit] <= values.keys():
        raise ValueError(f"{key!r} is no {mapper.unit} as {mapper.output_format!r} writes one")
    if mapper.unit is Unit.QUARTER:
        return datetime(int(values["Y"]), 3 * int(values["quarter"]) - 2, 1)
    return datetime(int(values["Y"]), int(values["m"]), int(values["d"]))


def _pattern(form: str) -> str:
    return "".join(_FIELDS.get(part, re.escape(part)) for part in re.split(r"(%[A-Za-z]|\{quarter\})", form))


def _read(mapper: StartOf, key: str) -> datetime:
    return _localised(mapper, datetime.strptime(key, mapper.input_format))


def _localised(mapper: StartOf, moment: datetime) -> datetime:
    zone = ZoneInfo(mapper.timezone)
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)


def _write(mapper: StartOf, moment: datetime) -> str:
    quarter = str((moment.month - 1) // 3 + 1)
    return moment.strftime(mapper.output_format).replace("{quarter}", quarter)


def _written(mapper: Mapper, member: datetime | str) -> str:
    if not isinstance(member, datetime):
        return member
    return _write(mapper, member) if isinstance(mapper, StartOf) else member.isoformat()
