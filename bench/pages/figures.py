"""What was measured of each page, beside its targets, as rows of a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.pages.reader import Seen
from bench.text_table import Row

FIRST_BYTE_SECONDS = 0.050
LARGE_GRID_SECONDS = 0.300
WEIGHT_BYTES = 150 * 1024
LOG_GROWTH = 1.5
"""A log of a gigabyte opens as fast as one of a kilobyte, but for what there is more to see of it."""

LARGE_GRID = "grid of 2,000 tasks"


@dataclass(frozen=True, slots=True)
class PageFigure:
    """One page over so many looks."""

    name: str
    p50: float
    p95: float
    gzip_bytes: int

    @classmethod
    def of(cls, name: str, looks: Sequence[Seen]) -> "PageFigure":
        """Return the figure of these looks; its weight is that of the heaviest."""
        times = sorted(one.first_byte for one in looks)
        p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
        return cls(name, times[len(times) // 2], p95, max(one.gzip_bytes for one in looks))

    @property
    def limit(self) -> float:
        """The most seconds that 19 of 20 first bytes may take."""
        return LARGE_GRID_SECONDS if self.name.startswith(LARGE_GRID) else FIRST_BYTE_SECONDS

    @property
    def is_met(self) -> bool:
        """Whether it is as fast and as light as it is to be."""
        return self.p95 <= self.limit and self.gzip_bytes <= WEIGHT_BYTES


def rows_of(figures: Mapping[str, Sequence[PageFigure]]) -> list[Row]:
    """Return a row for each page, with columns for each backend; the target is that of the 95th percentile."""
    head = ["page", "target"]
    for backend in figures:
        head += [f"{backend} p50", "p95", "of target"]
    by_name = {backend: {one.name: one for one in found} for backend, found in figures.items()}
    rows: list[Row] = [(*head, "gzip")]
    for name in next(iter(by_name.values())):
        ones = [by_name[backend][name] for backend in figures]
        row = [name, f"{ones[0].limit * 1000:.0f} ms"]
        for one in ones:
            row += [f"{one.p50 * 1000:.1f} ms", f"{one.p95 * 1000:.1f} ms", f"x {one.p95 / one.limit:.2f}"]
        rows.append((*row, f"{max(one.gzip_bytes for one in ones) / 1024:.0f} KiB"))
    return rows


def summary(figures: Mapping[str, Sequence[PageFigure]]) -> str:
    """Return how many pages meet their targets on each backend, and which do not."""
    lines = []
    for backend, found in figures.items():
        late = [one.name for one in found if not one.is_met]
        lines.append(
            f"{backend}: {len(found) - len(late)} of {len(found)} pages within their targets"
            + (f"; not {', '.join(late)}" if late else "")
        )
    return "\n".join(lines)
