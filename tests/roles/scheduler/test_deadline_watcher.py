"""DeadlineWatcher: a run that is late is told of once, by real callbacks in a child process."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from flowd.db import bundles
from flowd.domain.deadline import DeadlineKind, DeadlineSpec
from flowd.roles.scheduler.deadline_watcher import DeadlineWatcher
from tests.roles.scheduler.author_codes import author_code_of
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import POLL, LedgerSite
from tests.support.specs import NOW, a_dag, a_task

HOUR = timedelta(hours=1)
FILE = """
from datetime import timedelta
from airflow import DAG
from airflow.sdk import AsyncCallback, BaseNotifier, DeadlineAlert, DeadlineReference, SyncCallback

def tell(text):
    with open({told!r}, "a") as file:
        file.write(text + "\\n")

async def later(context, word):
    tell(word + " " + context["dag_run"].run_id + " " + context["deadline"]["alert_name"])

def broken(**kwargs):
    raise RuntimeError("the alert is broken")

class Notifier(BaseNotifier):
    template_fields = ("text",)
    def __init__(self, text):
        self.text = text
    def notify(self, context):
        tell(self.text)

def alert(hours, callback, name):
    return DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, timedelta(hours=hours), callback, name=name)

with DAG("etl", schedule=None, deadline=[
    alert(1, AsyncCallback(later, kwargs={{"word": "late"}}), "first"),
    alert(1, SyncCallback(broken), "broken"),
    alert(2, AsyncCallback(Notifier, kwargs={{"text": "{{{{ dag.dag_id }}}} is very late"}}), "second"),
]):
    pass
"""
DEADLINES = tuple(DeadlineSpec(kind=DeadlineKind.QUEUED_AT, interval=hours * HOUR) for hours in (1, 1, 2))


@pytest.fixture
def site(open_sqlite_site: OpenSite) -> LedgerSite:
    return open_sqlite_site()


@pytest.fixture
def told(tmp_path: Path) -> Path:
    return tmp_path / "told"


@pytest.fixture
def watcher(site: LedgerSite, tmp_path: Path) -> DeadlineWatcher:
    return DeadlineWatcher(site.metastore, site.graphs, author_code_of(site, tmp_path), POLL)


async def begin(site: LedgerSite, told: Path) -> None:
    """Trigger a run of the DAG of FILE, whose files are in its bundle."""
    await site.begin(a_dag(a_task("a"), deadlines=DEADLINES), run_id="r")
    content = FILE.format(told=str(told)).encode()
    manifest = {"etl.py": hashlib.sha256(content).hexdigest()}
    async with site.metastore.transaction() as tx:
        bundle = await bundles.store(tx, manifest, {manifest["etl.py"]: bundles.pack(content)}, size_bytes=0, now=NOW)
        await tx.execute("UPDATE dag_run SET bundle = :bundle", {"bundle": bundle})


async def pass_time(site: LedgerSite, length: timedelta) -> None:
    """Let the run have been queued this much longer ago."""
    shift = length // timedelta(microseconds=1)
    await site.change(f"UPDATE dag_run SET queued_at = queued_at - {shift}, deadline_at = deadline_at - {shift}")


def lines(told: Path) -> list[str]:
    return told.read_text().splitlines() if told.exists() else []


def logged(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.rglob("*.log"))


async def test_each_deadline_is_told_once_when_it_is_missed(
    site: LedgerSite, watcher: DeadlineWatcher, told: Path, tmp_path: Path
) -> None:
    await begin(site, told)
    before = await watcher.step()
    await pass_time(site, HOUR)

    assert await watcher.step() is True
    first, pause = lines(told), await watcher.step()
    await pass_time(site, HOUR)
    assert await watcher.step() is True

    assert isinstance(before, timedelta) and timedelta(0) < before <= HOUR
    assert first == ["late r first"]
    assert isinstance(pause, timedelta)
    assert lines(told) == ["late r first", "etl is very late"]
    assert await watcher.step() is False
    assert "RuntimeError: the alert is broken" in logged(tmp_path)


async def test_a_run_that_has_ended_is_never_late(site: LedgerSite, watcher: DeadlineWatcher, told: Path) -> None:
    await begin(site, told)
    await site.work()
    await pass_time(site, 5 * HOUR)

    assert await watcher.step() is False
    assert lines(told) == []


async def test_a_dag_without_deadlines_has_none(site: LedgerSite, watcher: DeadlineWatcher) -> None:
    await site.begin(a_dag(a_task("a")))

    assert await site.rows("SELECT deadline_at FROM dag_run") == [(None,)]
    assert await watcher.step() is False


async def test_a_bundle_that_is_gone_costs_one_alert(site: LedgerSite, watcher: DeadlineWatcher, told: Path) -> None:
    await begin(site, told)
    await site.change(f"UPDATE dag_run SET bundle = '{'d' * 64}'")
    await pass_time(site, HOUR)

    assert await watcher.step() is True
    assert lines(told) == []
    assert isinstance(await watcher.step(), timedelta)
