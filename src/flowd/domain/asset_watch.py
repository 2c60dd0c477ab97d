"""Watchers of assets: triggers that run for as long as a DAG is scheduled by what they watch."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from flowd.domain.deferral import TriggerSpec
from flowd.domain.ids import ClaimToken

LONGEST_NAME = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class WatcherSpec:
    """A trigger, each event of which is an event of the asset; `name` is for people."""

    asset: str
    name: str
    trigger: TriggerSpec


def watch_of(trigger: TriggerSpec) -> ClaimToken:
    """Return what the running of a trigger is known by: equal triggers run once, whoever has declared them.

    Where the class is in the DAG folder its file counts, too: another one may have a class of the same path.
    """
    file = trigger.file if trigger.is_in_bundle else None
    canonical = json.dumps([trigger.classpath, dict(trigger.kwargs), file], sort_keys=True, separators=(",", ":"))
    return ClaimToken(hashlib.sha256(canonical.encode()).hexdigest())


def watcher_to_json(watcher: WatcherSpec) -> dict[str, Any]:
    """Return it as JSON values."""
    return asdict(watcher)


def watcher_from_json(document: Mapping[str, Any]) -> WatcherSpec:
    """Return what `watcher_to_json` wrote; raise KeyError or TypeError for a document of another form."""
    return WatcherSpec(asset=document["asset"], name=document["name"], trigger=TriggerSpec(**document["trigger"]))
