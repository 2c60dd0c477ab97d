"""Partition mappers as JSON values."""

from collections.abc import Mapping
from typing import Any, assert_never

from flowd.domain.partition.mappers import Allowed, Chain, FanOut, Fixed, Identity, Mapper, Product, Rollup, StartOf
from flowd.domain.partition.windows import PeriodWindow, SegmentWindow, Unit, Window


def mapper_to_json(mapper: Mapper) -> dict[str, Any]:
    """Return the mapper as JSON values."""
    match mapper:
        case Identity():
            return {"kind": "identity"}
        case Fixed(key):
            return {"kind": "fixed", "key": key}
        case Allowed(keys):
            return {"kind": "allowed", "keys": list(keys)}
        case StartOf():
            return {
                "kind": "start_of",
                "unit": mapper.unit.value,
                "timezone": mapper.timezone,
                "input_format": mapper.input_format,
                "output_format": mapper.output_format,
            }
        case Product(parts, delimiter):
            return {"kind": "product", "parts": [mapper_to_json(one) for one in parts], "delimiter": delimiter}
        case Chain(parts):
            return {"kind": "chain", "parts": [mapper_to_json(one) for one in parts]}
        case Rollup(upstream=upstream, window=window, at_least=at_least):
            return {
                "kind": "rollup",
                "upstream": mapper_to_json(upstream),
                "window": _window_to_json(window),
                "at_least": at_least,
            }
        case FanOut(upstream=upstream, window=window, downstream=downstream):
            assert downstream is not None
            return {
                "kind": "fan_out",
                "upstream": mapper_to_json(upstream),
                "window": _window_to_json(window),
                "downstream": mapper_to_json(downstream),
            }
        case _:
            assert_never(mapper)


def mapper_from_json(document: Mapping[str, Any]) -> Mapper:
    """Return the mapper that `mapper_to_json` wrote; raise ValueError or KeyError for anything else."""
    match document["kind"]:
        case "identity":
            return Identity()
        case "fixed":
            return Fixed(document["key"])
        case "allowed":
            return Allowed(tuple(document["keys"]))
        case "start_of":
            return StartOf(
                unit=Unit(document["unit"]),
                timezone=document["timezone"],
                input_format=document["input_format"],
                output_format=document["output_format"],
            )
        case "product":
            return Product(_parts(document), document["delimiter"])
        case "chain":
            return Chain(_parts(document))
        case "rollup":
            return Rollup(
                upstream=mapper_from_json(document["upstream"]),
                window=_window_from_json(document["window"]),
                at_least=document["at_least"],
            )
        case "fan_out":
            return FanOut(
                upstream=mapper_from_json(document["upstream"]),
                window=_window_from_json(document["window"]),
                downstream=mapper_from_json(document["downstream"]),
            )
        case kind:
            raise ValueError(f"partition mapper of the kind {kind!r}, which is unknown: store what was written as one")


def _parts(document: Mapping[str, Any]) -> tuple[Mapper, ...]:
    return tuple(mapper_from_json(one) for one in document["parts"])


def _window_to_json(window: Window) -> dict[str, Any]:
    if isinstance(window, SegmentWindow):
        return {"segments": list(window.keys)}
    return {"unit": window.unit.value, "is_backward": window.is_backward}


def _window_from_json(document: Mapping[str, Any]) -> Window:
    if "segments" in document:
        return SegmentWindow(tuple(document["segments"]))
    return PeriodWindow(Unit(document["unit"]), document["is_backward"])
