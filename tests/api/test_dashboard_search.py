"""The search: what finds what, and for whom."""

import re

import pytest

from flowd.domain.assets import AssetSpec
from flowd.security.account_role import AccountRole
from tests.api.browsers import Browser, browser_of
from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task

SECRET = {"access_control": {"hr": ["can_read"]}, "tags": ["wages-tag"]}


@pytest.fixture
async def viewer(cluster: Cluster) -> Browser:
    await cluster.save(
        a_dag(a_task("pay", outlets=(AssetSpec(name="ledger", uri="s3://bank/<ledger>"),)), dag_id="payroll",
              file="payroll.py", presentation=SECRET),
        a_dag(a_task("extract_more"), dag_id="etl_more", file="more.py"),
    )  # fmt: skip
    await cluster.trigger("payroll", "payroll_run")
    return await browser_of(cluster, AccountRole.VIEWER)


def hits(page: str) -> list[str]:
    """Where the results lead, in their order."""
    return re.findall(r'<li><a href="([^"]*)">', page)


async def test_dags_tasks_and_runs_are_found_by_words_the_nearest_first(cluster: Cluster, viewer: Browser) -> None:
    await cluster.trigger(run_id="Manual__1")

    assert hits(await viewer.get("/search", q="etl"))[:2] == ["/dags/etl", "/dags/etl_more"]
    assert hits(await viewer.get("/search", q="SALES")) == ["/dags/etl"], "by its tag"
    assert hits(await viewer.get("/search", q="extract")) == [
        "/dags/etl/tasks/extract",
        "/dags/etl_more/tasks/extract_more",
    ]
    assert hits(await viewer.get("/search", q="load it etl")) == ["/dags/etl/tasks/load"]
    assert hits(await viewer.get("/search", q="manual__ etl")) == ["/dags/etl/runs/Manual__1"]


async def test_assets_and_pages_are_found(viewer: Browser) -> None:
    page = await viewer.get("/search", q="bank ledger")

    assert "1 thing found" in page and "s3://bank/&lt;ledger&gt;" in page
    assert hits(await viewer.get("/search", q="dataset")) == ["/assets"]


async def test_without_words_the_pages_are_listed_that_the_role_may_open(cluster: Cluster, viewer: Browser) -> None:
    admin = await browser_of(cluster, AccountRole.ADMIN)

    of_viewer, of_admin = hits(await viewer.get("/search")), hits(await admin.get("/search"))

    assert "/dags" in of_viewer and "/config" not in of_viewer and "/backfills/new" not in of_viewer
    assert set(of_admin) > set(of_viewer) and "/config" in of_admin
    for path in of_viewer:
        await viewer.get(path)
    for path in of_admin:
        await admin.get(path)


@pytest.mark.parametrize("text", ["payroll", "pay", "wages-tag", "payroll_run"])
async def test_nothing_of_a_dag_that_may_not_be_seen_is_found(cluster: Cluster, viewer: Browser, text: str) -> None:
    op = await browser_of(cluster, AccountRole.OP)

    assert "0 things found: nothing" in await viewer.get("/search", q=text)
    assert hits(await op.get("/search", q=text))


async def test_what_was_typed_is_shown_and_no_more_than_text(viewer: Browser) -> None:
    page = await viewer.get("/search", q='"><i>')

    assert "0 things found" in page and "<i>" not in page and page.count('value="&#34;&gt;&lt;i&gt;"') == 2
    await viewer.get("/search", 422, q="x" * 301)


async def test_of_many_the_nearest_are_shown_with_the_way_to_all(cluster: Cluster, viewer: Browser) -> None:
    await cluster.save(*(a_dag(a_task("t"), dag_id=f"many_{n:02}", file=f"{n}.py") for n in range(12)))

    page = await viewer.get("/search", q="many")

    assert len(hits(page)) == 8 and 'href="/dags?q=many"' in page
