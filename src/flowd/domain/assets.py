"""Assets: names for data that tasks write, and the condition on their events under which a DAG runs.

The JSON form of a condition is Airflow's `asset_expression`. An asset is known by its name; its URI says where it is.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from flowd.domain.errors import InvalidDag

_ASSET_GROUP = "asset"
LONGEST_NAME = 250
LONGEST_URI = 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSpec:
    """One asset, as a file declares it."""

    name: str
    uri: str
    group: str = _ASSET_GROUP
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasSpec:
    """A name for assets that are known only when a task has run."""

    name: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Met where one of the parts is."""

    parts: tuple["AssetCondition", ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Met where each of the parts is."""

    parts: tuple["AssetCondition", ...]


AssetCondition = AssetSpec | AliasSpec | AnyOf | AllOf


def is_met(condition: AssetCondition, assets: Collection[str], aliases: Collection[str] = ()) -> bool:
    """Return True where the assets, by name, that have events not yet answered let the DAG run.

    `aliases` are those that stand for at least one of these assets. A condition without parts is never met.
    """
    match condition:
        case AssetSpec(name=name):
            return name in assets
        case AliasSpec(name=name):
            return name in aliases
        case AnyOf(parts):
            return any(is_met(part, assets, aliases) for part in parts)
        case AllOf(parts):
            return bool(parts) and all(is_met(part, assets, aliases) for part in parts)
        case _:
            assert_never(condition)


def leaves(condition: AssetCondition) -> Iterator[AssetSpec | AliasSpec]:
    """Yield every asset and alias that the condition names, as often as it names it."""
    match condition:
        case AnyOf(parts) | AllOf(parts):
            for part in parts:
                yield from leaves(part)
        case _:
            yield condition


def condition_to_json(condition: AssetCondition) -> dict[str, Any]:
    """Return the condition as JSON values."""
    match condition:
        case AssetSpec(name=name, uri=uri, group=group, extra=extra):
            return {"asset": {"name": name, "uri": uri, "group": group, "extra": dict(extra)}}
        case AliasSpec(name=name, group=group):
            return {"alias": {"name": name, "group": group}}
        case AnyOf(parts):
            return {"any": [condition_to_json(part) for part in parts]}
        case AllOf(parts):
            return {"all": [condition_to_json(part) for part in parts]}
        case _:
            assert_never(condition)


def condition_from_json(document: Mapping[str, Any]) -> AssetCondition:
    """Return the condition that `condition_to_json` wrote."""
    match document:
        case {"asset": asset}:
            return AssetSpec(name=asset["name"], uri=asset["uri"], group=asset["group"], extra=asset["extra"])
        case {"alias": alias}:
            return AliasSpec(name=alias["name"], group=alias["group"])
        case {"any": parts}:
            return AnyOf(tuple(condition_from_json(part) for part in parts))
        case {"all": parts}:
            return AllOf(tuple(condition_from_json(part) for part in parts))
        case _:
            raise ValueError(f"asset condition {dict(document)!r} is of no known kind; store what was written as one")


def check_asset(name: str, uri: str) -> None:
    """Raise InvalidDag for a name or a URI that cannot be kept."""
    for what, text, longest in (("name", name, LONGEST_NAME), ("uri", uri, LONGEST_URI)):
        if not isinstance(text, str) or not text.strip():
            raise InvalidDag(f"asset {name!r}: its {what} is {text!r}, wanted a text that is not blank")
        if len(text) > longest:
            raise InvalidDag(
                f"asset {name[:40]!r}…: its {what} has {len(text)} characters, wanted at most {longest}; give it a "
                "shorter one, such as Asset('orders', uri='s3://…')"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetNews:
    """That a task has written an asset: what becomes an asset event if the try counts as a success.

    Where it names no `partition_key`, the event is about the partition that its run is about, if any.
    """

    asset: AssetSpec
    extra: Mapping[str, Any] = field(default_factory=dict)
    alias: str | None = None
    partition_key: str | None = None


def news_to_json(news: AssetNews) -> dict[str, Any]:
    """Return the news as JSON values."""
    return {
        **condition_to_json(news.asset),
        "event_extra": dict(news.extra),
        "via": news.alias,
        "partition_key": news.partition_key,
    }


def news_from_json(document: Mapping[str, Any]) -> AssetNews:
    """Return the news that `news_to_json` wrote; raise KeyError, TypeError or ValueError for anything else."""
    asset = condition_from_json(document)
    if not isinstance(asset, AssetSpec):
        raise ValueError(f"an event of {document!r}, which is no asset")
    check_asset(asset.name, asset.uri)
    return AssetNews(
        asset=asset, extra=dict(document["event_extra"]), alias=document["via"], partition_key=document["partition_key"]
    )
