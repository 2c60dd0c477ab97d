"""Lineage: hooks report what they read and write to a collector. flowd keeps none of it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class HookLineage:
    """What was collected: nothing."""

    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    extra: list[Any] = field(default_factory=list)


class HookLineageCollector:
    """Accepts whatever hooks report, and forgets it."""

    has_collected = False

    def __init__(self, **_: Any) -> None:
        """Accept whatever the real one may."""

    def create_asset(self, **_: Any) -> None:
        """Return None: the asset would be for lineage alone."""

    def add_input_asset(self, *_: Any, **__: Any) -> None:
        """Forget what was read."""

    add_output_asset = add_extra = add_input_asset
    add_input_dataset = add_output_dataset = add_input_asset

    @property
    def collected_assets(self) -> HookLineage:
        """Nothing."""
        return HookLineage()

    collected_datasets = collected_assets


_collector = HookLineageCollector()


def get_hook_lineage_collector() -> HookLineageCollector:
    """Return the collector, which is the same for all."""
    return _collector


class HookLineageReader:
    """A plugin that reads what was collected; it is never called."""

    def __init__(self, **_: Any) -> None:
        self.lineage_collector = _collector

    def retrieve_hook_lineage(self) -> HookLineage:
        """Return nothing."""
        return HookLineage()
