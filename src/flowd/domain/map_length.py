"""Map lengths: into how many instances a mapped task expands, from what its author wrote and what upstreams returned.

A mapped task is one instance until it is to run. Then it becomes as many as its length says, or is skipped where that
is 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, assert_never

from flowd.domain.ids import TaskId


@dataclass(frozen=True, slots=True)
class LiteralLength:
    """The items of a list or dict in the DAG file."""

    items: int


@dataclass(frozen=True, slots=True)
class ResultLength:
    """What a task of the DAG returned: the items of its list or dict; of a mapped one, how many returned something."""

    task_id: TaskId


@dataclass(frozen=True, slots=True)
class ZippedLength:
    """Items side by side: as many as the shortest of the parts has, or the longest."""

    parts: "tuple[MapLength, ...]"
    is_longest: bool = False


@dataclass(frozen=True, slots=True)
class ChainedLength:
    """The items of each part after those of the part before."""

    parts: "tuple[MapLength, ...]"


@dataclass(frozen=True, slots=True)
class CrossedLength:
    """Every item of each part with every item of the others."""

    parts: "tuple[MapLength, ...]"


MapLength = LiteralLength | ResultLength | ZippedLength | ChainedLength | CrossedLength


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """That a task is mapped, to which length, and by which mapped task group where it is not mapped by itself.

    The tasks of a mapped group have one length, and an instance of each for every map index.
    """

    length: MapLength
    group: str | None = None


def sources_of(length: MapLength) -> frozenset[TaskId]:
    """Return the tasks on whose results the length depends; none for what the DAG file says by itself."""
    match length:
        case LiteralLength():
            return frozenset()
        case ResultLength(task_id):
            return frozenset({task_id})
        case ZippedLength(parts) | ChainedLength(parts) | CrossedLength(parts):
            return frozenset[TaskId]().union(*(sources_of(part) for part in parts))
        case _:
            assert_never(length)


def evaluated(length: MapLength, results: Mapping[TaskId, int | None]) -> int | None:
    """Return the length; None where one of the results it depends on has none, for there is no such result."""
    match length:
        case LiteralLength(items):
            return items
        case ResultLength(task_id):
            return results.get(task_id)
        case ZippedLength() | ChainedLength() | CrossedLength():
            found = [evaluated(part, results) for part in length.parts]
            known = [one for one in found if one is not None]
            return _combined(length, known) if len(known) == len(found) else None
        case _:
            assert_never(length)


def is_crossed_beyond(length: MapLength, items: int, most: int) -> bool:
    """Return True where crossing lists, none of which need be long, comes to more than `most` instances."""
    return isinstance(length, CrossedLength) and items > most


def _combined(length: ZippedLength | ChainedLength | CrossedLength, parts: list[int]) -> int:
    match length:
        case ZippedLength(is_longest=is_longest):
            return max(parts, default=0) if is_longest else min(parts, default=0)
        case ChainedLength():
            return sum(parts)
        case CrossedLength():
            return prod(parts)
        case _:
            assert_never(length)


_PARTED: dict[str, type[ChainedLength] | type[CrossedLength]] = {"chained": ChainedLength, "crossed": CrossedLength}


def expansion_to_json(expansion: Expansion) -> dict[str, Any]:
    """Return the expansion as JSON values."""
    document: dict[str, Any] = {"length": _to_json(expansion.length)}
    return document if expansion.group is None else document | {"group": expansion.group}


def expansion_from_json(document: Mapping[str, Any]) -> Expansion:
    """Return the expansion that `expansion_to_json` wrote; raise KeyError or ValueError for anything else."""
    return Expansion(length=_from_json(document["length"]), group=document.get("group"))


def _to_json(length: MapLength) -> dict[str, Any]:
    match length:
        case LiteralLength(items):
            return {"items": items}
        case ResultLength(task_id):
            return {"result_of": task_id}
        case ZippedLength(parts, is_longest):
            return {"zipped": [_to_json(part) for part in parts], "is_longest": is_longest}
        case ChainedLength(parts):
            return {"chained": [_to_json(part) for part in parts]}
        case CrossedLength(parts):
            return {"crossed": [_to_json(part) for part in parts]}
        case _:
            assert_never(length)


def _from_json(document: Mapping[str, Any]) -> MapLength:
    if "items" in document:
        return LiteralLength(document["items"])
    if "result_of" in document:
        return ResultLength(TaskId(document["result_of"]))
    if "zipped" in document:
        return ZippedLength(tuple(map(_from_json, document["zipped"])), document["is_longest"])
    for name, kind in _PARTED.items():
        if name in document:
            return kind(tuple(map(_from_json, document[name])))
    raise ValueError(f"unknown map length {sorted(document)}; wanted items, result_of, zipped, chained or crossed")
