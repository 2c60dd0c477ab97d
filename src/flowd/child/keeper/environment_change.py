"""EnvironmentChange: what a task's environment differs by from that of the process it is forked from."""

import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EnvironmentChange:
    """Variables to set and names to remove: of some forty variables of a task, a dozen are its own."""

    set: Mapping[str, str]
    removed: Sequence[str]

    @classmethod
    def between(cls, before: Mapping[str, str], after: Mapping[str, str]) -> "EnvironmentChange":
        """Return what makes `after` of `before`."""
        # Differences of whole sets: one call each, and not one for each of some forty variables.
        return cls(dict(after.items() - before.items()), list(before.keys() - after.keys()))

    @property
    def names(self) -> frozenset[str]:
        """The variables it touches."""
        return frozenset((*self.set, *self.removed))

    def apply(self, kept: Collection[str] = ()) -> None:
        """Change this process's environment, and Python's time zone with it; the variables in `kept` stay."""
        for name in self.removed:
            if name not in kept:
                os.environ.pop(name, None)
        for name, value in self.set.items():
            if name not in kept:
                os.environ[name] = value
        if "TZ" in self.set or "TZ" in self.removed:
            time.tzset()
