"""The table of keeper costs: tasks a second beside the raw starts of the same run, and the CPU of each part."""

from collections.abc import Sequence

from bench.keeper.cost import BESIDE, Cost

PARTS = ("total", "tasks", "servers", "keeper", "client")


def keeper_table(raw: Sequence[Cost], found: Sequence[Cost]) -> str:
    """Return the raw starts, and below them what each kind of task costs as a share of its own raw start."""
    limits = {one.name: one for one in raw}
    lines = [f"{'':12} {'in flight':>9} {'/s':>7} {'share':>7}   CPU ms each: " + " ".join(f"{p:>8}" for p in PARTS)]
    for one in (*raw, *found):
        beside = limits.get(BESIDE.get(one.name, ""))
        is_beside = beside is not None and beside.in_flight == one.in_flight
        share = f"{one.per_second / beside.per_second:.0%}" if beside and is_beside else ""
        cpu = " ".join(f"{one.cpu_ms[part]:8.3f}" if part in one.cpu_ms else f"{'':8}" for part in PARTS)
        lines.append(f"{one.name:12} {one.in_flight:9} {one.per_second:7.0f} {share:>7}                {cpu}".rstrip())
    return "\n".join(lines)
