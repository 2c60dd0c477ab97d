"""AssetWatcher: a trigger that says when an asset has changed, and what a DAG has of them."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowd.domain.asset_watch import LONGEST_NAME, WatcherSpec
from flowd.domain.errors import InvalidDag
from flowd.sdk.assets import Asset, AssetAll, AssetAny, AssetOrTimeSchedule
from flowd.sdk.exceptions import DagWarning
from flowd.sdk.partitioned_assets import PartitionedAssetTimetable
from flowd.sdk.stored_trigger import stored_trigger
from flowd.sdk.triggers import BaseEventTrigger, BaseTrigger

if TYPE_CHECKING:
    from flowd.sdk.dag import DAG


@dataclass(frozen=True, slots=True)
class AssetWatcher:
    """Each event of the trigger is an event of the asset that has this watcher.

    Raises InvalidDag for a trigger that is made for tasks: one whose class is no BaseEventTrigger.
    """

    name: str
    trigger: Any

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not 0 < len(self.name) <= LONGEST_NAME:
            raise InvalidDag(f"AssetWatcher: its name is {self.name!r}, wanted 1 to {LONGEST_NAME} characters")
        if isinstance(self.trigger, BaseTrigger) and not isinstance(self.trigger, BaseEventTrigger):
            raise InvalidDag(
                f"asset watcher {self.name!r}: {type(self.trigger).__name__} is a trigger for tasks; wanted a subclass "
                "of BaseEventTrigger: others may have no end of events"
            )


def watchers_of(dag: "DAG", file: str) -> tuple[WatcherSpec, ...]:
    """Return the watchers of the assets that the DAG is scheduled by, in the order of assets and names.

    Warns of one whose trigger's class is not installed. Raises InvalidDag, naming it, where a trigger cannot be stored.
    """
    specs: dict[tuple[str, str], WatcherSpec] = {}
    for asset in _assets_in(dag.schedule):
        for watcher in asset.watchers:
            if not isinstance(watcher.trigger, BaseEventTrigger):
                text = f"asset {asset.name!r}: watcher {watcher.name!r} does not run"
                warnings.warn(f"{text}: {watcher.trigger} is not installed", DagWarning, stacklevel=2)
                continue
            try:
                trigger = stored_trigger(watcher.trigger, path=dag.fileloc, file=file)
            except Exception as error:
                raise InvalidDag(f"asset {asset.name!r}: watcher {watcher.name!r}: {error}") from error
            specs[asset.name, watcher.name] = WatcherSpec(asset=asset.name, name=watcher.name, trigger=trigger)
    return tuple(specs[key] for key in sorted(specs))


def _assets_in(schedule: Any) -> Iterator[Asset]:
    match schedule:
        case Asset():
            yield schedule
        case AssetAny() | AssetAll():
            for one in schedule.objects:
                yield from _assets_in(one)
        case AssetOrTimeSchedule() | PartitionedAssetTimetable():
            yield from _assets_in(schedule.assets)
        case list() | tuple() | set() | frozenset():
            for one in schedule:
                yield from _assets_in(one)
