"""Asset events as a running task sees them: those it makes, those it reads, and those that started its run."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from flowd.domain.assets import AssetNews, news_to_json
from flowd.domain.errors import InvalidInput
from flowd.domain.partition.plan import check_key
from flowd.sdk.assets import Asset, AssetAlias, Metadata
from flowd.sdk.moments import moment
from flowd.sdk.plain_json import plain_json
from flowd.sdk.supervisor import ask


@dataclass(slots=True)
class OutletEvent:
    """The event of one outlet: what `extra` holds when the task succeeds goes with it."""

    key: Asset | AssetAlias
    extra: dict[str, Any] = field(default_factory=dict)
    asset_alias_events: list[tuple[Asset, dict[str, Any]]] = field(default_factory=list)
    partition_keys: dict[str, None] = field(default_factory=dict)

    def add_partitions(self, keys: str | Iterable[str]) -> None:
        """Make an event for each of these partitions of the asset, and none without; raise ValueError for no key."""
        if not isinstance(self.key, Asset):
            raise TypeError(f"{self.key!r} is no Asset: an alias has no partitions")
        for key in [keys] if isinstance(keys, str) else keys:
            try:
                check_key(key)
            except InvalidInput as error:
                raise ValueError(str(error)) from error
            self.partition_keys[key] = None

    def add(self, asset: Asset, extra: Mapping[str, Any] | None = None) -> None:
        """Make an event of `asset`, for which this alias stands."""
        if not isinstance(self.key, AssetAlias):
            raise TypeError(f"{self.key!r} is no AssetAlias; set outlet_events[…].extra instead")
        self.asset_alias_events.append((asset, dict(extra or {})))


class OutletEvents(Mapping[Any, OutletEvent]):
    """`outlet_events` in the context: an event for each asset and alias of the task's outlets."""

    def __init__(self, outlets: list[Any]) -> None:
        self._events = {one: OutletEvent(one) for one in outlets if isinstance(one, (Asset, AssetAlias))}

    def __getitem__(self, key: Any) -> OutletEvent:
        for one, event in self._events.items():
            if key == one or (isinstance(key, str) and key in (one.name, getattr(one, "uri", None))):
                return event
        raise KeyError(f"{key!r} is no outlet of this task; write outlets=[{key!r}] at the task")

    def __iter__(self) -> Iterator[Any]:
        return iter(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def take(self, metadata: Metadata) -> None:
        """Note what the task has yielded."""
        if metadata.alias is not None:
            self[metadata.alias].add(metadata.asset, metadata.extra)
        else:
            self[metadata.asset].extra.update(metadata.extra or {})

    def news(self) -> list[dict[str, Any]]:
        """Return, as JSON, what became of the outlets: an event for each asset, and those added to aliases."""
        made: list[AssetNews] = []
        for key, event in self._events.items():
            if isinstance(key, Asset):
                news = AssetNews(asset=key.spec(), extra=plain_json(event.extra))
                made.extend(replace(news, partition_key=one) for one in event.partition_keys or [None])
            for asset, extra in event.asset_alias_events:
                made.append(AssetNews(asset=asset.spec(), extra=plain_json(extra), alias=key.name))
        return [news_to_json(one) for one in made]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetEvent:
    """That an asset was written: when, by which task, with which extra."""

    asset: Asset
    timestamp: datetime
    extra: dict[str, Any]
    source_dag_id: str | None
    source_task_id: str | None
    source_run_id: str | None
    source_map_index: int
    partition_key: str | None = None

    @property
    def uri(self) -> str:
        """The asset's URI."""
        return self.asset.uri


class TriggeringAssetEvents(Mapping[Any, list[AssetEvent]]):
    """`triggering_asset_events`: the events that the run is about, by asset; an asset's name or URI finds them too."""

    def __init__(self, events: list[AssetEvent]) -> None:
        self._events: dict[Asset, list[AssetEvent]] = {}
        for event in events:
            self._events.setdefault(event.asset, []).append(event)

    def __getitem__(self, key: Any) -> list[AssetEvent]:
        for asset, events in self._events.items():
            if key == asset or (isinstance(key, str) and key in (asset.name, asset.uri)):
                return events
        raise KeyError(key)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._events)

    def __len__(self) -> int:
        return len(self._events)


class InletEvents(Mapping[Any, list[AssetEvent]]):
    """`inlet_events`: every event that an inlet has had, the oldest first; asked for when it is read."""

    def __init__(self, inlets: list[Any]) -> None:
        self._inlets = [one for one in inlets if isinstance(one, (Asset, AssetAlias))]
        self._read: dict[tuple[str, str], list[AssetEvent]] = {}

    def __getitem__(self, key: Any) -> list[AssetEvent]:
        inlet = self._inlets[key] if isinstance(key, int) else self._inlet(key)
        return self._asked("alias" if isinstance(inlet, AssetAlias) else "name", inlet.name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._inlets)

    def __len__(self) -> int:
        return len(self._inlets)

    def for_asset(self, *, name: str | None = None, uri: str | None = None) -> list[AssetEvent]:
        """Return the events of the inlet of this name and URI; of a URI alone, those of every asset that has it."""
        for one in self._inlets:
            if isinstance(one, Asset) and name in (None, one.name) and uri in (None, one.uri):
                return self._asked("name", one.name) if name is not None or uri is None else self._asked("uri", uri)
        raise KeyError(f"no inlet of this task is an asset with name {name!r} and uri {uri!r}; None stands for any")

    def for_asset_alias(self, *, name: str) -> list[AssetEvent]:
        """Return the events of the inlet that is the alias of this name."""
        return self[AssetAlias(name)]

    def _asked(self, by: str, value: str) -> list[AssetEvent]:
        if (by, value) not in self._read:
            self._read[by, value] = _events(ask("asset_events", by=by, value=value)["events"])
        return self._read[by, value]

    def _inlet(self, key: Any) -> Asset | AssetAlias:
        for one in self._inlets:
            if key == one or (isinstance(key, str) and key in (one.name, getattr(one, "uri", None))):
                return one
        raise KeyError(f"{key!r} is no inlet of this task; write inlets=[{key!r}] at the task")


def triggering_events() -> TriggeringAssetEvents:
    """Ask which events the run of this task is about."""
    return TriggeringAssetEvents(_events(ask("triggering_asset_events")["events"]))


def _events(documents: Any) -> list[AssetEvent]:
    return [
        AssetEvent(
            asset=Asset(one["name"], one["uri"], group=one["group"]),
            timestamp=moment(datetime.fromisoformat(one["timestamp"])),
            extra=cast(dict[str, Any], one["extra"]),
            source_dag_id=one["source_dag_id"],
            source_task_id=one["source_task_id"],
            source_run_id=one["source_run_id"],
            source_map_index=one["source_map_index"],
            partition_key=one["partition_key"],
        )
        for one in documents
    ]
