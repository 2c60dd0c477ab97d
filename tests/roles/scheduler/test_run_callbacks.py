"""RunCallbacks: every end of a run is told, in a process of its own, and one that cannot be told holds up nobody."""

import hashlib
import os
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from flowd.db import bundles
from flowd.db.secrets_store import Connections, Variables
from flowd.domain.dag_run import DagRun
from flowd.domain.ids import BundleHash
from flowd.roles.bundle_cache import BundleCache
from flowd.roles.look_ups import Library
from flowd.roles.loop import Bell
from flowd.roles.scheduler.author_code import AuthorCode
from flowd.roles.scheduler.run_callbacks import MOST_TRIES, RunCallbacks
from flowd.security.vault import Vault
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import POLL, LedgerSite
from tests.support.specs import NOW, a_dag, a_task

KEY = Fernet.generate_key().decode()
FILE = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

def tell(context):
    with open({told!r}, "a") as file:
        file.write(context["dag_run"].run_id + "\\n")

with DAG("etl", schedule=None, on_success_callback=tell):
    EmptyOperator(task_id="a")
"""


@pytest.fixture
def site(open_sqlite_site: OpenSite) -> LedgerSite:
    return open_sqlite_site()


@pytest.fixture
def told(tmp_path: Path) -> Path:
    return tmp_path / "told"


@pytest.fixture
def agent(site: LedgerSite, tmp_path: Path) -> RunCallbacks:
    vault = Vault([KEY])
    store = site.metastore
    library = Library(metastore=store, variables=Variables(store, vault), connections=Connections(store, vault))
    code = AuthorCode(
        library=library,
        bundles=BundleCache(store, tmp_path / "bundles"),
        environ={"PATH": os.environ["PATH"]},
        logs=tmp_path / "logs",
    )
    return RunCallbacks(store, site.graphs, code, POLL, due=Bell())


async def ended(site: LedgerSite, *names: str) -> list[DagRun]:
    await site.put(a_dag(a_task("a"), has_run_callbacks=True))
    runs = [await site.trigger(run_id=name) for name in names]
    await site.work()
    return runs


async def give_bundle(site: LedgerSite, told: Path, *, to: str) -> BundleHash:
    content = FILE.format(told=str(told)).encode()
    manifest = {"etl.py": hashlib.sha256(content).hexdigest()}
    async with site.metastore.transaction() as tx:
        packed = {manifest["etl.py"]: bundles.pack(content)}
        bundle = await bundles.store(tx, manifest, packed, size_bytes=0, now=NOW)
        await tx.execute("UPDATE dag_run SET bundle = :bundle WHERE run_id = :id", {"bundle": bundle, "id": to})
    return bundle


def text_of(file: Path) -> str:
    return file.read_text()


async def due(site: LedgerSite) -> list[str]:
    rows = await site.rows("SELECT run_id FROM dag_run WHERE callback_due_at IS NOT NULL ORDER BY id")
    return [run_id for (run_id,) in rows]


async def test_a_callback_that_cannot_be_started_holds_up_none_behind_it(
    site: LedgerSite, agent: RunCallbacks, told: Path
) -> None:
    await ended(site, "bad", "good")
    await give_bundle(site, told, to="good")

    await agent.step()

    assert text_of(told) == "good\n"
    assert await due(site) == ["bad"]


async def test_a_callback_that_can_never_be_started_is_given_up(site: LedgerSite, agent: RunCallbacks) -> None:
    await ended(site, "bad")

    left = []
    for _ in range(MOST_TRIES):
        await site.change("UPDATE dag_run SET callback_due_at = 1 WHERE callback_due_at IS NOT NULL")
        await agent.step()
        left.append(await due(site))

    assert left == [["bad"]] * (MOST_TRIES - 1) + [[]]
