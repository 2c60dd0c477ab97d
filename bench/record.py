"""The record of a bench: a JSON file that a later one can be compared with."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.figure import Failure, Figure, Limit, compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where it was measured, and how busy that was with other things before."""

    cores: int
    python: str
    system: str
    load_before: float

    @property
    def is_busy(self) -> bool:
        """True where the figures say more about the neighbours than about flowd."""
        return self.load_before > self.cores / 2


def this_machine() -> Machine:
    """Return it; ask before the bench loads it."""
    return Machine(
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        load_before=os.getloadavg()[0],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All that one bench found."""

    at: datetime
    machine: Machine
    limits: Mapping[str, Limit]
    figures: Sequence[Figure]
    failures: Sequence[Failure]

    def write(self, folder: Path) -> Path:
        """Write it to `folder/<time>.json` and return the path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.at:%Y%m%dT%H%M%SZ}.json"
        path.write_text(json.dumps(self._document(), indent=2) + "\n")
        return path

    def _document(self) -> dict[str, Any]:
        return {
            "at": self.at.isoformat(),
            "machine": asdict(self.machine),
            "limits": {name: {**asdict(one), "value": one.value} for name, one in self.limits.items()},
            "figures": [self._figure(one) for one in self.figures],
            "failures": [asdict(one) for one in self.failures],
        }

    def _figure(self, figure: Figure) -> dict[str, Any]:
        ratios = {one.limit.name: one.ratio for one in compare(figure, self.limits)}
        return {**asdict(figure), "value": figure.value, "ratios": ratios}
