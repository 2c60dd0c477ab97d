"""Cleaning: what ended long ago goes with all that hangs on it, and nothing that lives or is used does."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from flowd.db.asset_tables import asset_event_run
from flowd.db.bundle_tables import bundle_plan, pushed_bundle, pushed_version
from flowd.db.metastore import Metastore
from flowd.db.moments import to_db
from flowd.db.retention import Deleted, count_finished_runs, delete_finished_runs
from flowd.db.tables import (
    attempt,
    backfill,
    backfill_date,
    bundle,
    bundle_content,
    dag,
    dag_run,
    dag_version,
    deferral,
    hitl_detail,
    metadata,
    rendered,
    run_transition,
    task_instance,
    task_state,
    task_transition,
    xcom,
)
from tests.support.ledger_fixtures import OpenSite

DAY = timedelta(days=1)
UNDER_A_RUN = (
    task_instance, run_transition, task_transition, attempt, rendered, xcom, asset_event_run, deferral, hitl_detail,
    task_state,
)  # fmt: skip


class History:
    """A metastore with runs, versions and bundles of chosen ages."""

    def __init__(self, metastore: Metastore) -> None:
        self.metastore = metastore

    async def insert(self, table: Any, age: timedelta, moment: str, **row: object) -> None:
        async with self.metastore.transaction() as tx:
            then = to_db(await tx.now() - age)
            await tx.execute(insert(table).values({moment: then, **row}))

    async def bundle(self, age: timedelta, *contents: bytes) -> str:
        manifest = {f"{index}.py": hashlib.sha256(content).hexdigest() for index, content in enumerate(contents)}
        name = hashlib.sha256(json.dumps(manifest).encode()).hexdigest()
        await self.insert(bundle, age, "created_at", hash=name, manifest=json.dumps(manifest), size_bytes=1)
        stored = await self.column(bundle_content.c.hash)
        async with self.metastore.transaction() as tx:
            for key, content in zip(manifest.values(), contents, strict=True):
                if key not in stored:
                    await tx.execute(insert(bundle_content).values(hash=key, part=0, content=content))
        return name

    async def version(self, id_: int, age: timedelta, bundle_: str) -> None:
        row = {"id": id_, "dag_id": "etl", "number": id_, "hash": str(id_), "spec": "{}", "bundle": bundle_}
        await self.insert(dag_version, age, "created_at", **row)

    async def dag(self, version: int, bundle_: str) -> None:
        row = {"dag_id": "etl", "file": "etl.py", "version": version, "bundle": bundle_, "parse_seconds": 0.1}
        flags = {"is_active": True, "is_paused": False, "is_restricted": False}
        await self.insert(dag, DAY, "parsed_at", first_seen_at=0, **flags, **row)

    async def run(
        self,
        id_: int,
        state: str,
        ended: timedelta | None,
        version: int,
        bundle_: str = "",
        expires: timedelta | None = None,
    ) -> None:
        row = {"id": id_, "dag_id": "etl", "run_id": f"r{id_}", "dag_version": version, "bundle": bundle_}
        row |= {
            "state": state,
            "version": 1,
            "unfinished": 0,
            "run_type": "manual",
            "triggered_by": "test",
            "conf": "{}",
        }
        async with self.metastore.transaction() as tx:
            now = await tx.now()
            moments = {"run_after": to_db(now), "queued_at": to_db(now), "ended_at": ended and to_db(now - ended)}
            await tx.execute(insert(dag_run).values({**row, **moments}))
            task = {"id": id_, "run": id_, "dag_id": "etl", "task_id": "t", "map_index": -1, "state": "success"}
            task |= {"version": 1, "try_number": 1, "max_tries": 1, "operator": "x", "pool": "p", "pool_slots": 1}
            await tx.execute(insert(task_instance).values(priority=1, queue="default", **task))
            change = {"version": 1, "from_state": "a", "to_state": "b", "cause": "c", "at": 0}
            await tx.execute(insert(run_transition).values(run=id_, **change))
            await tx.execute(insert(task_transition).values(instance=id_, try_number=1, **change))
            tried = {"instance": id_, "try_number": 1, "token": "t", "worker": "w", "cause": "c", "ended_at": 0}
            await tx.execute(insert(attempt).values(**tried))
            await tx.execute(insert(rendered).values(instance=id_, try_number=1, fields="{}"))
            await tx.execute(insert(xcom).values(instance=id_, name="n", value="1", at=0))
            kept = {"name": "n", "value": "1", "at": 0, "expires_at": expires and to_db(now + expires)}
            await tx.execute(insert(task_state).values(instance=id_, **kept))
            waits = {"try_number": 1, "leg": 0, "token": f"t{id_}", "resume": "{}"}
            await tx.execute(insert(deferral).values(instance=id_, **waits))
            asked = {"try_number": 1, "subject": "s", "request": "{}", "created_at": 0}
            await tx.execute(insert(hitl_detail).values(instance=id_, **asked))
            await tx.execute(insert(asset_event_run).values(run=id_, event=1))

    async def backfill(self, id_: int, completed: timedelta | None, version: int, **row: object) -> None:
        async with self.metastore.transaction() as tx:
            completed_at = completed and to_db(await tx.now() - completed)
        row = {"dag_id": "etl", "dag_version": version, "bundle": "", "reprocess_behavior": "none", **row}
        row |= dict.fromkeys(("from_date", "to_date", "planned", "handled", "created_at"), 0)
        flags = dict.fromkeys(("is_backwards", "run_on_latest_version", "is_paused", "is_planned"), False)
        row = {"is_cancelling": False, **flags, **row, "max_active_runs": 1, "request": str(id_)}
        await self.insert(backfill, timedelta(), "updated_at", id=id_, completed_at=completed_at, **row)
        await self.insert(
            backfill_date, timedelta(), "run_after", backfill=id_, place=1, interval_start=0, interval_end=0
        )

    async def column(self, column: Any) -> set[Any]:
        async with self.metastore.reading() as tx:
            return set((await tx.execute(select(column))).scalars())

    async def count(self, table: Any) -> int:
        async with self.metastore.reading() as tx:
            return int((await tx.execute(select(func.count()).select_from(table))).scalar_one())


@pytest.fixture
def history(metastore: Metastore) -> History:
    return History(metastore)


async def test_only_runs_that_ended_long_ago_go_and_all_under_them(history: History) -> None:
    await history.version(1, DAY, "")
    await history.run(1, "success", 10 * DAY, version=1)
    await history.run(2, "failed", 10 * DAY, version=1)
    await history.run(3, "success", 1 * DAY, version=1)
    await history.run(4, "running", None, version=1)
    await history.run(5, "queued", 10 * DAY, version=1)

    found = await count_finished_runs(history.metastore, 5 * DAY)
    deleted = await delete_finished_runs(history.metastore, 5 * DAY)

    assert (found, deleted.runs, deleted.task_instances) == (2, 2, 2)
    assert await history.column(dag_run.c.id) == {3, 4, 5}
    assert {table.name: await history.count(table) for table in UNDER_A_RUN} == {table.name: 3 for table in UNDER_A_RUN}


def test_every_table_under_a_run_is_looked_at_here() -> None:
    owners = {dag_run, task_instance}
    keys = [(table, key) for table in metadata.tables.values() for key in table.foreign_keys]
    under = {table for table, key in keys if key.column.table in owners and key.ondelete == "CASCADE"}

    assert under == set(UNDER_A_RUN)


async def test_a_batch_is_a_transaction_and_each_is_told(history: History) -> None:
    await history.version(1, DAY, "")
    for number in range(1, 6):
        await history.run(number, "success", 10 * DAY, version=1)
    told: list[int] = []

    deleted = await delete_finished_runs(history.metastore, DAY, batch=2, on_batch=told.append)

    assert (deleted.runs, told) == (5, [2, 2, 1])


async def test_versions_bundles_and_contents_go_when_nothing_uses_them(history: History) -> None:
    used_by_dag = await history.bundle(9 * DAY, b"shared", b"newest")
    used_by_run = await history.bundle(9 * DAY, b"shared", b"older")
    unused = await history.bundle(9 * DAY, b"shared", b"oldest")
    young = await history.bundle(timedelta(), b"just stored")
    await history.version(1, 9 * DAY, unused)
    await history.version(2, 9 * DAY, used_by_run)
    await history.version(3, 9 * DAY, used_by_dag)
    await history.dag(3, used_by_dag)
    await history.run(1, "success", 9 * DAY, version=1, bundle_=unused)
    await history.run(2, "running", None, version=2, bundle_=used_by_run)

    deleted = await delete_finished_runs(history.metastore, timedelta())

    assert deleted == Deleted(runs=1, task_instances=1, dag_versions=1, bundles=1, contents=1)
    assert await history.column(dag_version.c.id) == {2, 3}
    assert await history.column(bundle.c.hash) == {used_by_dag, used_by_run, young}
    contents = (b"shared", b"newest", b"older", b"just stored")
    assert await history.column(bundle_content.c.hash) == {hashlib.sha256(one).hexdigest() for one in contents}


async def test_what_tasks_keep_no_longer_goes_and_their_runs_stay(history: History) -> None:
    await history.version(1, DAY, "")
    for id_, expires in ((1, -DAY), (2, DAY), (3, None)):
        await history.run(id_, "running", None, version=1, expires=expires)

    deleted = await delete_finished_runs(history.metastore, DAY)

    assert deleted == Deleted(expired_states=1)
    assert await history.column(task_state.c.instance) == {2, 3}


async def test_backfills_that_ended_long_ago_go_with_their_dates(history: History) -> None:
    for number in range(1, 5):
        await history.version(number, 9 * DAY, "")
    await history.backfill(1, 9 * DAY, version=1)
    await history.backfill(2, 9 * DAY, version=2, is_cancelling=True)
    await history.backfill(3, DAY, version=3)
    await history.backfill(4, None, version=4)

    deleted = await delete_finished_runs(history.metastore, 5 * DAY)

    assert deleted.dag_versions == 1
    assert await history.column(backfill.c.id) == {2, 3, 4}
    assert await history.column(backfill_date.c.backfill) == {2, 3, 4}


async def test_a_date_outlives_its_run(history: History) -> None:
    await history.version(1, DAY, "")
    await history.run(1, "success", 9 * DAY, version=1)
    await history.backfill(1, None, version=1)
    async with history.metastore.transaction() as tx:
        await tx.execute("UPDATE backfill_date SET run = 1")

    await delete_finished_runs(history.metastore, 5 * DAY)

    assert await history.column(backfill_date.c.run) == {None}


async def test_cleaning_again_finds_nothing(history: History) -> None:
    await history.version(1, 9 * DAY, "")
    await history.run(1, "success", 9 * DAY, version=1)
    await delete_finished_runs(history.metastore, DAY)

    assert await delete_finished_runs(history.metastore, DAY) == Deleted()


async def test_a_run_that_somebody_is_changing_stays(open_server_site: OpenSite) -> None:
    metastore = open_server_site().metastore
    history = History(metastore)
    await history.version(1, DAY, "")
    await history.run(1, "success", 9 * DAY, version=1)
    await history.run(2, "success", 9 * DAY, version=1)

    async with metastore.transaction() as tx:
        await tx.execute("SELECT id FROM dag_run WHERE id = 1 FOR UPDATE")
        deleted = await delete_finished_runs(metastore, DAY)

    assert deleted.runs == 1
    assert await history.column(dag_run.c.id) == {1}


async def test_of_a_pushed_bundle_stay_the_version_in_service_the_one_below_and_young_ones(history: History) -> None:
    names = [await history.bundle(40 * DAY, str(number).encode(), b"shared") for number in range(1, 6)]
    parsed = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(1, 6)]
    for number, (bundle_, content) in enumerate(zip(names, parsed, strict=True), start=1):
        row = {"name": "team", "number": number, "bundle": bundle_, "parsed": content, "plan": "{}"}
        await history.insert(pushed_version, DAY if number == 5 else 40 * DAY, "pushed_at", **row)
    async with history.metastore.transaction() as tx:
        await tx.execute(insert(pushed_bundle).values(name="team", version=4, revision=9))
    for age in (DAY, 40 * DAY):
        plan = {"hash": str(age), "name": "x", "bundle": names[0], "parsed": parsed[0], "plan": "{}"}
        await history.insert(bundle_plan, age, "made_at", **plan)

    await delete_finished_runs(history.metastore, 30 * DAY)

    assert await history.column(pushed_version.c.number) == {3, 4, 5}
    assert await history.column(bundle_plan.c.hash) == {str(DAY)}
    assert await history.column(bundle.c.hash) == {names[0], *names[2:]}
    assert parsed[1] not in await history.column(bundle_content.c.hash)
