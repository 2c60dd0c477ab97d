"""The DAG folder in the metastore: real files, real child processes, a real database."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flowd.db import bundles, dags, parse_requests
from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.domain.ids import BundleHash
from flowd.roles.loop import Bell
from flowd.roles.scheduler.dag_folder import DagFolder
from flowd.roles.scheduler.dag_parse_result import ParseBounds, ParsedFile
from flowd.roles.scheduler.dag_parser import DagParser, OnParsed
from flowd.roles.scheduler.dag_sync import DagSync
from tests.support.metastores import a_metastore
from tests.support.pace import at_pace

GOOD = """
from flowd import DAG
from flowd.operators.bash import BashOperator

with DAG("{dag_id}", schedule={schedule}):
    BashOperator(task_id="{task}", bash_command="true")
"""


def dag(dag_id: str, *, task: str = "t", schedule: str = "None") -> str:
    return GOOD.format(dag_id=dag_id, task=task, schedule=schedule)


class Site:
    """A DAG folder, a metastore, and what one can read of them."""

    def __init__(self, metastore: Metastore, root: Path) -> None:
        self.metastore = metastore
        self.root = root
        self.folder = root / "dags"
        self.folder.mkdir()

    def sync(self, **options: Any) -> DagSync:
        """A scheduler's sync; call it again for another scheduler."""
        bounds = ParseBounds(
            timeout=options.pop("timeout", timedelta(seconds=20)), memory_bytes=options.pop("memory", 1024**3)
        )
        parser = self.parser = DagParser(bounds=bounds, log_folder=str(self.root / "logs"), env=os.environ)
        folder = DagFolder(str(self.folder), most_bytes=options.pop("most_bytes", 1024**2))
        return DagSync(
            self.metastore, folder, parser, timedelta(seconds=60), **({"paused_at_creation": True} | options)
        )

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(text)

    async def rows(self, statement: str) -> list[dict[str, Any]]:
        async with self.metastore.reading() as tx:
            return [dict(row) for row in (await tx.execute(statement)).mappings()]

    async def dags(self) -> dict[str, dict[str, Any]]:
        rows = await self.rows(
            "SELECT d.*, v.number, v.spec FROM dag d JOIN dag_version v ON v.id = d.version ORDER BY d.dag_id"
        )
        return {row["dag_id"]: row for row in rows}

    async def active(self) -> list[str]:
        return [dag_id for dag_id, row in (await self.dags()).items() if row["is_active"]]

    async def errors(self) -> dict[str, str]:
        return {row["file"]: row["message"] for row in await self.rows("SELECT file, message FROM import_error")}

    async def text_in_bundle(self, dag_id: str) -> str:
        """The file of a DAG, as a worker that runs it would get it."""
        row = (await self.dags())[dag_id]
        async with self.metastore.reading() as tx:
            manifest = await bundles.fetch_manifest(tx, BundleHash(row["bundle"]))
            content = await bundles.fetch_packed(tx, [manifest[row["file"]]])
        return bundles.unpack(content[manifest[row["file"]]]).decode()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with a_metastore(f"sqlite:///{tmp_path}/flowd.db") as metastore:
        yield Site(metastore, tmp_path)


async def test_the_first_pass_writes_every_dag_and_says_so(site: Site) -> None:
    changed = Bell()
    sync = site.sync(changed=changed)
    site.write(a=dag("a", schedule="'@daily'"), b=dag("b"))

    assert not sync.first_pass.is_set()
    assert await sync.step() is False

    assert sync.first_pass.is_set()
    found = await site.dags()
    assert {dag_id: row["file"] for dag_id, row in found.items()} == {"a": "a.py", "b": "b.py"}
    assert all(row["is_active"] and row["is_paused"] and row["number"] == 1 for row in found.values())
    assert found["a"]["next_run_after"] is not None
    assert found["b"]["next_run_after"] is None
    assert await site.text_in_bundle("a") == dag("a", schedule="'@daily'")
    async with asyncio.timeout(120):
        await changed.wait(None)


async def test_an_empty_folder_is_a_complete_pass(site: Site) -> None:
    sync = site.sync()

    await sync.step()

    assert sync.first_pass.is_set()
    assert await site.dags() == {}


async def test_an_unchanged_folder_writes_nothing(site: Site) -> None:
    site.write(a=dag("a"))
    sync = site.sync()
    await sync.step()
    before = await site.dags()

    await sync.step()

    assert await site.dags() == before


async def test_a_changed_file_makes_a_version_and_moves_every_dag_to_the_new_bundle(site: Site) -> None:
    site.write(a=dag("a"), b=dag("b"))
    sync = site.sync()
    await sync.step()
    before = await site.dags()
    site.write(a=dag("a", task="u"))

    await sync.step()

    after = await site.dags()
    assert [after["a"]["number"], after["b"]["number"]] == [2, 1]
    assert after["a"]["bundle"] == after["b"]["bundle"] != before["b"]["bundle"]
    assert after["b"]["parsed_at"] == before["b"]["parsed_at"], "b was not parsed again"


async def test_a_changed_helper_has_its_importers_parsed_again(site: Site) -> None:
    site.write(helper="TASK = 'one'", a="import helper\n" + dag("a").replace('"t"', "helper.TASK"))
    sync = site.sync()
    await sync.step()
    site.write(helper="TASK = 'two'")

    await sync.step()

    row = (await site.dags())["a"]
    assert row["number"] == 2
    assert '"two"' in row["spec"]


async def test_a_broken_file_keeps_its_last_good_version_and_bundle_and_tells_why(site: Site) -> None:
    site.write(a=dag("a"), b=dag("b"))
    sync = site.sync()
    await sync.step()
    before = await site.dags()
    site.write(a="from flowd import dag\n1 / 0")

    await sync.step()

    after = await site.dags()
    assert after["a"] == before["a"]
    assert await site.text_in_bundle("a") == dag("a")
    assert after["b"]["bundle"] != before["b"]["bundle"]
    assert (await site.errors())["a.py"].startswith("a.py: ZeroDivisionError: division by zero\n")


async def test_a_repaired_file_has_no_error_any_more(site: Site) -> None:
    site.write(a="from flowd import dag\nimport absent_helper\n" + dag("a"))
    sync = site.sync()
    await sync.step()
    assert "absent_helper" in (await site.errors())["a.py"]

    site.write(absent_helper="")
    await sync.step()

    assert await site.errors() == {}
    assert await site.active() == ["a"]


async def test_a_removed_file_deactivates_its_dags_and_a_returned_one_brings_them_back_as_they_were(site: Site) -> None:
    site.write(a=dag("a"), b=dag("b"))
    sync = site.sync()
    await sync.step()
    async with site.metastore.transaction() as tx:
        await tx.execute("UPDATE dag SET is_paused = :no", {"no": False})
    (site.folder / "a.py").unlink()
    await sync.step()
    assert await site.active() == ["b"]

    site.write(a=dag("a"))
    await sync.step()

    row = (await site.dags())["a"]
    assert (bool(row["is_active"]), bool(row["is_paused"]), row["number"]) == (True, False, 1)


async def test_the_error_of_a_removed_file_goes_with_it(site: Site) -> None:
    site.write(a="flowd dag syntax error", b=dag("b"))
    sync = site.sync()
    await sync.step()
    assert list(await site.errors()) == ["a.py"]

    (site.folder / "a.py").unlink()
    await sync.step()

    assert await site.errors() == {}


async def test_what_was_removed_while_no_scheduler_ran_is_found_at_the_start(site: Site) -> None:
    site.write(a=dag("a"), b=dag("b"), c="flowd dag syntax error")
    await site.sync().step()
    (site.folder / "a.py").unlink()
    (site.folder / "c.py").unlink()

    await site.sync().step()

    assert await site.active() == ["b"]
    assert await site.errors() == {}


async def test_a_dag_that_moves_to_another_file_goes_on_without_an_error(site: Site) -> None:
    site.write(a=dag("a"))
    sync = site.sync()
    await sync.step()

    (site.folder / "a.py").rename(site.folder / "z.py")
    await sync.step()

    row = (await site.dags())["a"]
    assert (row["file"], bool(row["is_active"])) == ("z.py", True)
    assert await site.errors() == {}


async def test_an_id_in_two_files_is_the_second_ones_error_until_the_first_is_gone(site: Site) -> None:
    site.write(a=dag("same"))
    sync = site.sync()
    await sync.step()
    before = await site.dags()
    site.write(b=dag("same", task="other"))
    await sync.step()

    assert "'same' is defined in a.py already" in (await site.errors())["b.py"]
    assert {**(await site.dags())["same"], "bundle": ""} == {**before["same"], "bundle": ""}

    (site.folder / "a.py").unlink()
    await sync.step()

    assert await site.errors() == {}
    assert (await site.dags())["same"]["file"] == "b.py"


async def test_a_dag_that_its_file_defines_no_more_is_deactivated(site: Site) -> None:
    site.write(a=dag("a") + dag("b"))
    sync = site.sync()
    await sync.step()

    site.write(a=dag("a"))
    await sync.step()

    assert await site.active() == ["a"]


async def test_a_dag_that_somebody_deleted_comes_back_while_its_file_is_there(site: Site) -> None:
    site.write(a=dag("a"))
    sync = site.sync()
    await sync.step()
    async with site.metastore.transaction() as tx:
        await tx.execute("DELETE FROM dag")

    await sync.step()

    assert await site.active() == ["a"]


async def test_a_file_that_deletes_itself_is_gone_and_leaves_the_others_alone(site: Site) -> None:
    site.write(a="import os\nos.remove(__file__)\n" + dag("a"), b=dag("b"))
    sync = site.sync()

    while await sync.step():
        pass

    assert await site.active() == ["b"]


async def test_a_file_that_writes_into_the_folder_whenever_it_is_parsed_does_not_stop_the_sync(site: Site) -> None:
    writing = "import pathlib, time\npathlib.Path(__file__).with_name('now.txt').write_text(str(time.time_ns()))\n"
    site.write(a=writing + dag("a"), b=dag("b"))
    sync = site.sync()

    steps = 1
    while await sync.step():
        steps += 1

    assert steps <= 4
    assert await site.active() == ["a", "b"]


async def test_what_could_not_be_written_is_written_as_soon_as_it_can_be(site: Site) -> None:
    site.write(a=dag("a"))
    sync = site.sync()

    async def fail_once() -> None:
        async with site.metastore.transaction() as tx:
            await tx.execute("ALTER TABLE import_error RENAME TO away")
        with pytest.raises(Exception, match="no such table"):
            await sync.step()
        async with site.metastore.transaction() as tx:
            await tx.execute("ALTER TABLE away RENAME TO import_error")

    await fail_once()
    assert not sync.first_pass.is_set()
    await sync.step()
    assert sync.first_pass.is_set()
    assert await site.active() == ["a"]

    site.write(a=dag("a", task="u"), b=dag("b"))
    await fail_once()
    await sync.step()
    assert await site.active() == ["a", "b"]
    assert (await site.dags())["a"]["number"] == 2


async def test_a_slow_file_keeps_no_other_waiting(site: Site) -> None:
    site.write(slow="# flowd dag\nwhile True: pass", a=dag("a"), b=dag("b"))
    written = Bell()
    sync = site.sync(timeout=timedelta(seconds=30), changed=written)

    async with asyncio.TaskGroup() as tasks:
        step = tasks.create_task(sync.step())
        async with asyncio.timeout(120):
            while await site.active() != ["a", "b"]:
                await written.wait(None)
        assert not step.done()
        assert not sync.first_pass.is_set()
        step.cancel()


async def test_a_file_that_is_parsed_while_others_are_written_is_written_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write(a=dag("a"), b=dag("b"))
    sync = site.sync()
    parse, known = site.parser.parse, dags.known
    is_begun, is_writing, is_parsed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def parse_and_hold_back_b(folder: str, files: Sequence[str], on_parsed: OnParsed) -> None:
        found: dict[str, ParsedFile] = {}
        await parse(folder, files, found.__setitem__)
        on_parsed("a.py", found["a.py"])
        is_begun.set()
        await is_writing.wait()
        on_parsed("b.py", found["b.py"])
        is_parsed.set()

    async def known_amid_the_write(tx: Transaction) -> Sequence[dags.KnownDag]:
        if is_begun.is_set() and not is_writing.is_set():
            is_writing.set()
            await is_parsed.wait()
        return await known(tx)

    monkeypatch.setattr(site.parser, "parse", parse_and_hold_back_b)
    monkeypatch.setattr(dags, "known", known_amid_the_write)
    await sync.step()

    assert await site.active() == ["a", "b"]


async def test_until_a_changed_file_is_parsed_its_dags_stay_where_they_were(site: Site) -> None:
    site.write(slow=dag("slow"), moved=dag("moved"), quick=dag("quick"))
    written = Bell()
    sync = site.sync(changed=written)
    await sync.step()
    await written.wait(None)
    before = await site.dags()
    gate = site.root / "gate"
    waiting = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\n"
    (site.folder / "moved.py").unlink()
    site.write(slow=waiting + dag("slow") + dag("moved"), quick=dag("quick", task="u"))

    async with asyncio.timeout(120), asyncio.TaskGroup() as tasks:
        tasks.create_task(sync.step())
        while (await site.dags())["quick"]["number"] == 1:
            await written.wait(None)
        meanwhile = await site.dags()
        gate.touch()

    after = await site.dags()
    assert (meanwhile["slow"], meanwhile["moved"]) == (before["slow"], before["moved"])
    assert after["slow"]["bundle"] == meanwhile["quick"]["bundle"] != before["slow"]["bundle"]
    assert (bool(after["moved"]["is_active"]), after["moved"]["file"]) == (True, "slow.py")


async def test_a_change_while_a_slow_file_is_parsed_is_taken_at_once(site: Site) -> None:
    site.write(slow="# flowd dag\nwhile True: pass", a=dag("a"))
    written = Bell()
    sync = site.sync(timeout=timedelta(seconds=30), changed=written)

    async with asyncio.TaskGroup() as tasks:
        step = tasks.create_task(sync.step())
        async with asyncio.timeout(120):
            while await site.active() != ["a"]:
                await written.wait(None)
            site.write(slow=dag("slow"))
            assert await step is True
            assert await sync.step() is False

    assert await site.active() == ["a", "slow"]


async def test_a_folder_that_is_missing_or_too_large_is_an_error_and_changes_no_dag(site: Site) -> None:
    site.write(a=dag("a"))
    sync = site.sync(most_bytes=4096)
    await sync.step()

    (site.folder / "large.csv").write_text("x" * 5000)
    assert await sync.step() is False
    assert "large.csv (5000 bytes)" in (await site.errors())["."]
    site.folder.rename(site.root / "away")
    await sync.step()
    assert "create it" in (await site.errors())["."]
    assert await site.active() == ["a"]

    (site.root / "away").rename(site.folder)
    (site.folder / "large.csv").unlink()
    await sync.step()

    assert await site.errors() == {}
    assert await site.active() == ["a"]


async def test_a_file_that_cannot_be_read_as_a_path_is_an_import_error(site: Site) -> None:
    site.write(**{os.fsdecode(b"\xff"): dag("a")})

    await site.sync().step()

    ((file, message),) = (await site.errors()).items()
    assert file == "\\udcff.py"
    assert "rename the file" in message


async def test_a_file_is_parsed_again_after_a_while_for_what_it_defines_may_hang_on_more_than_the_folder(
    site: Site,
) -> None:
    outside = site.root / "tables.txt"
    outside.write_text("one")
    site.write(a=f"task = open({str(outside)!r}).read()\n" + dag("a").replace('"t"', "task"))
    sync = site.sync(refresh=timedelta())
    await sync.step()
    outside.write_text("two")

    await sync.step()

    assert (await site.dags())["a"]["number"] == 2


async def test_a_file_that_somebody_asks_for_is_parsed_again_once_and_no_other(site: Site) -> None:
    outside = site.root / "tables.txt"
    outside.write_text("one")
    for name in ("a", "b"):
        site.write(**{name: f"task = open({str(outside)!r}).read()\n" + dag(name).replace('"t"', "task")})
    sync = site.sync()
    await sync.step()
    outside.write_text("two")
    async with site.metastore.transaction() as tx:
        assert await parse_requests.ask(tx, "a.py")
        assert not await parse_requests.ask(tx, "nope.py")

    await sync.step()
    outside.write_text("three")
    await sync.step()

    known = await site.dags()
    assert (known["a"]["number"], known["b"]["number"]) == (2, 1)


async def test_the_watch_rings_the_loop_at_a_change(site: Site) -> None:
    written = Bell()
    sync = site.sync(changed=written)

    async with asyncio.timeout(120), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(sync.run())
        await sync.first_pass.wait()
        number = 0
        while await site.active() == []:
            # The watch may not have begun yet: a change before it is found by the interval alone, a minute later.
            number += 1
            site.write(a=dag("a", task=f"t{number}"))
            await written.wait(1)
        running.cancel()


async def test_two_schedulers_that_sync_one_folder_write_it_once(metastore: Metastore, tmp_path: Path) -> None:
    site = Site(metastore, tmp_path)
    site.write(**{f"f{number}": dag(f"d{number}") for number in range(8)}, bad="flowd dag (", same=dag("d0"))
    one, other = site.sync(), site.sync()

    await asyncio.gather(one.step(), other.step())
    site.write(f1=dag("d1", task="u"))
    await asyncio.gather(one.step(), other.step())

    assert await site.active() == [f"d{number}" for number in range(8)]
    assert {row["dag_id"]: row["number"] for row in (await site.dags()).values()} == {
        f"d{number}": 2 if number == 1 else 1 for number in range(8)
    }
    assert sorted(await site.errors()) == ["bad.py", "same.py"]
    assert len(await site.rows("SELECT hash FROM bundle")) == 2


@pytest.mark.timeout(1200)
async def test_two_hundred_files_are_synced_and_an_unchanged_rescan_costs_little(site: Site) -> None:
    site.write(**{f"etl{number}": dag(f"etl{number}") for number in range(200)})
    sync = site.sync()
    await sync.step()
    before = await site.dags()
    assert len(await site.active()) == 200

    started = time.process_time()  # of this process alone: to parse is the work of others
    await sync.step()

    assert time.process_time() - started < at_pace(1)
    assert await site.dags() == before, "nothing was parsed again"
