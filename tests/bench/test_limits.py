"""Limits: as many in flight as told, commits that are really made, and floors that add up."""

import sys
from pathlib import Path

import pytest

from bench.cluster.backend import Backend
from bench.figure import Limit, Unit
from bench.limits.commits import sqlite_limit
from bench.limits.floor import floors
from bench.limits.process_rates import KINDS, rate


@pytest.mark.parametrize(
    ("backend", "beyond"),
    [
        (Backend.SQLITE, 3 * 4),
        (Backend.POSTGRES_DATABASE, 3 * 2),
        (Backend.POSTGRES_AMQP, 3 * 2 + 3),
        (Backend.MARIADB_SQS, 3 * 5 + 7),
    ],
)
def test_the_floor_of_a_hop_adds_up_its_parts(backend: Backend, beyond: float) -> None:
    limits = {
        one.name: one
        for one in (
            Limit(name="fork_alone", words="", unit=Unit.PER_SECOND, values=(1000.0,)),
            Limit(name="spawn_alone", words="", unit=Unit.PER_SECOND, values=(500.0,)),
            Limit(name="commit.sqlite", words="", unit=Unit.PER_SECOND, values=(250.0,)),
            Limit(name="commit.postgres", words="", unit=Unit.PER_SECOND, values=(500.0,)),
            Limit(name="commit.mariadb", words="", unit=Unit.PER_SECOND, values=(200.0,)),
            Limit(name="broker.rabbitmq", words="", unit=Unit.MILLISECONDS, values=(3.0,)),
            Limit(name="broker.sqs", words="", unit=Unit.MILLISECONDS, values=(7.0,)),
        )
    }

    assert [(one.name, one.value) for one in floors(limits, backend)] == [
        (f"hop.{backend}", 1 + beyond),
        (f"first.{backend}", 2 + beyond),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="pidfds are Linux's")
@pytest.mark.parametrize("in_flight", [1, 4])
def test_the_rate_of_processes_starts_with_as_many_in_flight_as_told(in_flight: int) -> None:
    started = 0

    def start() -> int:
        nonlocal started
        started += 1
        return KINDS["spawn"]()

    per_second, cpu_ms = rate(start, in_flight=in_flight, seconds=0)

    assert started == in_flight
    assert per_second > 0 and cpu_ms >= 0


def test_the_rate_of_commits_is_that_of_a_file_with_so_many_rows(tmp_path: Path) -> None:
    limit = sqlite_limit(tmp_path, 0.01, 2)

    assert limit.name == "commit.sqlite"
    assert len(limit.values) == 2
    assert min(limit.values) > 0
    assert (tmp_path / "limit.db").exists()
