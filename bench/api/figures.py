"""What was measured of each call with a small and with a large past, beside a bare route, as rows of a table."""

from collections.abc import Mapping, Sequence

from bench.api.wrk import Answers
from bench.text_table import Row

GROWTH = 3.0
"""How often longer 99 of 100 answers may take over a million task instances than over a thousand."""


def growth(small: Answers, large: Answers) -> float:
    """Return how often longer 99 of 100 answers take with the large past."""
    return large.p99 / small.p99


def rows_of(bare: Answers, small: Mapping[str, Answers], large: Mapping[str, Answers]) -> list[Row]:
    """Return a row for each call; rates are shares of the bare route's, of which the first row tells."""
    rows: list[Row] = [
        ("call", "a second", "of bare", "p50", "p99", "with 1,000: p50", "p99", f"growth of p99 [{GROWTH:.0f} x]"),
        ("a bare route", f"{bare.a_second:.0f}", "100 %", _ms(bare.p50), _ms(bare.p99), "", "", ""),
    ]
    for name, found in large.items():
        before = small[name]
        share = f"{100 * found.a_second / bare.a_second:.1f} %"
        times = (_ms(found.p50), _ms(found.p99), _ms(before.p50), _ms(before.p99))
        rows.append((name, f"{found.a_second:.0f}", share, *times, f"{growth(before, found):.2f} x"))
    return rows


def summary(small: Mapping[str, Answers], large: Mapping[str, Answers]) -> str:
    """Return how many calls grow by no more than they may, and which do."""
    grown: Sequence[str] = [name for name in large if growth(small[name], large[name]) > GROWTH]
    told = f"{len(large) - len(grown)} of {len(large)} calls take at most {GROWTH:.0f} times as long"
    return told + (f"; not {', '.join(grown)}" if grown else "")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
