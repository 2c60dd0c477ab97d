"""The bench of the keeper alone: whose CPU a task takes, and what stands beside it."""

from pathlib import Path

import pytest

from bench.keeper.cost import Cost, keeper_cost
from bench.keeper.table import keeper_table


@pytest.mark.parametrize("kind", ["bash", "noop"])
def test_every_part_of_a_task_is_counted_once(kind: str, tmp_path: Path) -> None:
    cost = keeper_cost(kind, tmp_path, tasks=16, in_flight=4)

    parts = dict(cost.cpu_ms)
    assert parts.pop("total") == pytest.approx(sum(parts.values()))
    assert parts["keeper"] > 0 and cost.per_second > 0
    assert (parts["servers"] > 0) == (kind == "noop")
    assert len(list((tmp_path / "logs").iterdir())) == 1 + 32 + 16


def test_a_task_stands_beside_a_raw_start_of_its_kind_and_number_in_flight() -> None:
    raw = Cost(name="raw spawn", in_flight=8, per_second=1000, cpu_ms={"total": 1})
    found = [Cost(name="bash", in_flight=number, per_second=500, cpu_ms={"total": 2}) for number in (8, 1)]

    _, _, eight, one = keeper_table([raw], found).splitlines()

    assert "50%" in eight and "%" not in one
