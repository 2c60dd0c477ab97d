"""Backfills from the command line."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from flowd.db import dags
from flowd.db.dags import FreshDag
from flowd.db.metastore import Metastore
from flowd.db.migrate import upgrade
from flowd.domain.ids import BundleHash
from flowd.domain.timetable import CronTriggerTimetable
from tests.cli.conftest import Flowd
from tests.support.specs import a_dag, a_task

CREATE = ("backfill", "create", "--dag-id", "daily", "--from-date", "2024-01-01", "--to-date", "2024-01-03")


@pytest.fixture(autouse=True)
def daily(home: Path) -> None:
    """A DAG that is scheduled by day."""

    async def put() -> None:
        metastore = Metastore(f"sqlite:///{os.environ['FLOWD_HOME']}/flowd.db")
        await upgrade(metastore)
        spec = a_dag(a_task("t"), dag_id="daily", timetable=CronTriggerTimetable("0 0 * * *", "UTC"))
        async with metastore.transaction() as tx:
            fresh = [FreshDag(spec=spec)]
            await dags.save(tx, fresh, bundle=BundleHash("c" * 64), paused_at_creation=False, now=await tx.now())
        await metastore.close()

    home.mkdir()
    asyncio.run(put())


def test_a_backfill_from_its_dry_run_to_its_end(flowd: Flowd) -> None:
    dry = flowd(*CREATE, "--run-backwards", "--dry-run", "-o", "plain")
    made = flowd(*CREATE, "--dag-run-conf", '{"a": 1}', "--max-active-runs", "3", "-o", "json")
    number = str(json.loads(made.out)["id"])

    assert dry.out.split() == [f"2024-01-0{day}T00:00:00Z" for day in (3, 2, 1)]
    assert f"`flowd backfill show {number}` says how far it is" in made.err
    assert flowd("backfill", "pause", number).err == f"Backfill {number} is paused.\n"
    shown = json.loads(flowd("backfill", "show", number, "-o", "json").out)
    assert (shown["is_paused"], shown["max_active_runs"], shown["dag_run_conf"]) == (True, 3, {"a": 1})
    assert (shown["dates"], shown["handled"], shown["runs"]) == (0, 0, {})
    assert flowd("backfill", "resume", number).err == f"Backfill {number} goes on.\n"
    assert flowd("backfill", "cancel", number).err == f"Backfill {number} is cancelled.\n"
    (listed,) = json.loads(flowd("backfill", "list", "daily", "-o", "json").out)
    assert listed["completed_at"] is not None
    assert flowd("backfill", "cancel", number).err == "flowd: Backfill is already completed.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("show", "7"), 3, "Backfill not found"),
        (("pause", "7"), 3, "Backfill not found; `flowd backfill list` shows all"),
        (("list", "nope"), 3, "`nope` was not found"),
        ((*CREATE[1:], "--dag-id", "nope"), 3, "`nope` was not found"),
        ((*CREATE[1:], "--from-date", "yesterday"), 2, "'yesterday' is no date; write it as 2026-11-22"),
        ((*CREATE[1:], "--to-date", "2023-01-01"), 2, "must not be after to_date"),
        ((*CREATE[1:], "--reprocess-behavior", "all"), 2, "'none', 'failed' or 'completed'"),
        ((*CREATE[1:], "--dag-run-conf", "["), 2, "--dag-run-conf is no JSON"),
    ],
)
def test_what_is_wrong_is_said(flowd: Flowd, arguments: tuple[str, ...], code: int, message: str) -> None:
    outcome = flowd("backfill", *arguments)

    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err


def test_no_backfills_say_how_to_make_one(flowd: Flowd) -> None:
    assert flowd("backfill", "list").err == "No backfills: `flowd backfill create` makes one.\n"
