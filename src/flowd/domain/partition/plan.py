"""Partitioning: the mappers of a DAG that is scheduled by partitions of assets, and when one of its keys may run."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flowd.domain.assets import AssetCondition, is_met
from flowd.domain.errors import FlowdError, InvalidInput
from flowd.domain.partition.mapper_json import mapper_from_json, mapper_to_json
from flowd.domain.partition.mappers import Identity, Mapper, has_arrived, moment_of, to_downstream

LONGEST_KEY = 250
MOST_KEYS = 1_000
"""How many runs one event may be for, where its mapper does not say."""


_IDENTITY = Identity()


class NotMapped(FlowdError):
    """An event is for no run of the DAG: its key cannot be mapped, or gives too many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetMapper:
    """The mapper of an asset, and how many keys it may make of one."""

    mapper: Mapper = _IDENTITY
    most_keys: int = MOST_KEYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitioning:
    """The mapper of each asset, by name, and that of all others."""

    default: AssetMapper = field(default_factory=AssetMapper)
    by_asset: Mapping[str, AssetMapper] = field(default_factory=dict)

    def of(self, asset: str) -> AssetMapper:
        """Return the mapper of an asset."""
        return self.by_asset.get(asset, self.default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """That an event of an asset, with `source` as its key, is for a run; `date` is the moment its own run was about."""

    event: int
    asset: str
    source: str
    date: datetime | None = None


def targets(plan: Partitioning, asset: str, key: str) -> tuple[str, ...]:
    """Return the keys of the runs that an event of this asset is for; raise NotMapped where there are none."""
    chosen = plan.of(asset)
    try:
        keys = to_downstream(chosen.mapper, key)
        for one in keys:
            check_key(one)
    except (ValueError, OverflowError, InvalidInput) as error:
        raise NotMapped(f"partition key {key!r} of asset {asset!r} cannot be mapped: {error}") from error
    if len(keys) > chosen.most_keys:
        raise NotMapped(
            f"partition key {key!r} of asset {asset!r} gives {len(keys)} keys, at most {chosen.most_keys} are allowed"
        )
    return keys


def is_ready(plan: Partitioning, condition: AssetCondition, key: str, arrivals: Collection[Arrival]) -> bool:
    """Return True where what has arrived for this key lets the DAG run."""
    sources: dict[str, set[str]] = {}
    for one in arrivals:
        sources.setdefault(one.asset, set()).add(one.source)
    try:
        arrived = {asset for asset, keys in sources.items() if has_arrived(plan.of(asset).mapper, key, keys)}
    except (ValueError, OverflowError):
        # Two mappers that write the same key differently never agree on it.
        return False
    return is_met(condition, arrived)


def date_of(plan: Partitioning, key: str, arrivals: Collection[Arrival]) -> datetime | None:
    """Return the moment that a run of this key is about: its mappers', or what the events brought along; else None.

    None also where they do not agree: no choice would be better than another.
    """
    try:
        moments = _moments(plan, {one.asset for one in arrivals}, key)
    except (ValueError, OverflowError):
        return None
    return _agreed(moments or {one.date for one in arrivals if isinstance(plan.of(one.asset).mapper, Identity)})


def date_of_key(plan: Partitioning, assets: Collection[str], key: str) -> datetime | None:
    """Return the moment that somebody's run of this key is about, by the mappers of the assets; None as `date_of`.

    Raises InvalidInput for a key that one of the mappers cannot have made.
    """
    try:
        return _agreed(_moments(plan, assets, key))
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"Partition key {key!r} is invalid for this timetable's mappers: {error}") from error


def _moments(plan: Partitioning, assets: Collection[str], key: str) -> set[datetime | None]:
    return {moment_of(plan.of(asset).mapper, key) for asset in assets} - {None}


def _agreed(moments: set[datetime | None]) -> datetime | None:
    (moment,) = moments - {None} if len(moments - {None}) == 1 else (None,)
    return None if moment is None else moment.astimezone(UTC)


def plan_hash(plan: Partitioning) -> str:
    """Return what tells this plan from another: what has arrived under one means nothing under the other."""
    return hashlib.sha256(json.dumps(partitioning_to_json(plan), sort_keys=True).encode()).hexdigest()


def check_key(key: str) -> None:
    """Raise InvalidInput for a text that can be no partition key."""
    if not isinstance(key, str) or not key.strip():
        raise InvalidInput(f"partition key {key!r}: wanted a text that is not blank")
    if len(key) > LONGEST_KEY:
        raise InvalidInput(f"partition key {key[:40]!r}… has {len(key)} characters, wanted at most {LONGEST_KEY}")


def partitioning_to_json(plan: Partitioning) -> dict[str, Any]:
    """Return the plan as JSON values."""
    return {
        "default": _to_json(plan.default),
        "by_asset": {name: _to_json(one) for name, one in plan.by_asset.items()},
    }


def partitioning_from_json(document: Mapping[str, Any]) -> Partitioning:
    """Return the plan that `partitioning_to_json` wrote; raise KeyError or ValueError for anything else."""
    return Partitioning(
        default=_from_json(document["default"]),
        by_asset={name: _from_json(one) for name, one in document["by_asset"].items()},
    )


def _to_json(one: AssetMapper) -> dict[str, Any]:
    return {"mapper": mapper_to_json(one.mapper), "most_keys": one.most_keys}


def _from_json(document: Mapping[str, Any]) -> AssetMapper:
    return AssetMapper(mapper=mapper_from_json(document["mapper"]), most_keys=document["most_keys"])
