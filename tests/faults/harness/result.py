"""Result: what came of one scenario; kept as a line of JSON, shown as a table."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

VARIABLE = "FLOWD_FAULT_RESULTS"
"""Names the file that results are added to."""

_HEADINGS = ("scenario", "faults", "runs", "tries", "violations", "first task after", "all ended after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`first_end_seconds` is from the end of the faults to the next end of a task, `all_ended_seconds` to the last."""

    scenario: str
    seed: int
    faults: Sequence[str]
    runs: int
    tries: int
    violations: int
    first_end_seconds: float | None
    all_ended_seconds: float

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the result that `to_json` wrote."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self))

    def append_to(self, path: Path) -> None:
        """Add its line to a file."""
        with open(path, "a") as file:
            file.write(self.to_json() + "\n")


def read_results(path: Path) -> list[Result]:
    """Return the results that a file holds."""
    return [Result.from_json(line) for line in path.read_text().splitlines()]


def table(results: Iterable[Result]) -> str:
    """Return a table in Markdown, with a last line of sums."""
    rows = [_HEADINGS, tuple("---" for _ in _HEADINGS)]
    total = [0, 0, 0, 0]
    for result in results:
        counts = [len(result.faults), result.runs, result.tries, result.violations]
        total = [before + count for before, count in zip(total, counts, strict=True)]
        first = "–" if result.first_end_seconds is None else f"{result.first_end_seconds:.1f} s"
        rows.append((result.scenario, *map(str, counts), first, f"{result.all_ended_seconds:.1f} s"))
    rows.append(("**all**", *map(str, total), "", ""))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
