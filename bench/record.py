"""The record of a bench: a JSON file that a later one can be compared with."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from bench.figure import Failure, Figure, Limit, Unit, compare
from bench.scenarios.targets import TARGETS
from bench.target import verdicts


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

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return what `write` wrote; raise OSError, or ValueError where the file is no record of this version."""
        try:
            document = json.loads(path.read_text())
            return cls(
                at=datetime.fromisoformat(document["at"]),
                machine=Machine(**document["machine"]),
                limits={name: Limit(**_plain(one)) for name, one in document["limits"].items()},
                figures=[Figure(**_plain(one)) for one in document["figures"]],
                failures=[Failure(**one) for one in document["failures"]],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} is no record of this version of the bench ({type(error).__name__}: {error}); measure anew"
            ) from error

    def write(self, path: Path) -> Path:
        """Write it to `path` and return the path."""
        path.parent.mkdir(parents=True, exist_ok=True)
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
        targets = [asdict(one) for one in verdicts(figure, self.limits, TARGETS)]
        return {**asdict(figure), "value": figure.value, "ratios": ratios, "targets": targets}


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what was computed, and give what JSON has no form for its own."""
    kept = {name: value for name, value in document.items() if name not in ("value", "ratios", "targets")}
    lists = {name: tuple(value) for name, value in kept.items() if isinstance(value, list)}
    return {**kept, **lists, "unit": Unit(kept["unit"])}
