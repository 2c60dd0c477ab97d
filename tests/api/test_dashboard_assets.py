"""The pages of assets."""

import pytest

from flowd.db import assets
from flowd.domain.assets import AssetSpec
from flowd.security.account_role import AccountRole
from tests.api.browsers import Browser, browser_of
from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task

ORDERS = AssetSpec(name="orders", uri="s3://shop/<orders>", extra={"owner": "<ada>"})
RATES = AssetSpec(name="rates", uri="rates", group="bank")


@pytest.fixture
async def shop(cluster: Cluster) -> Cluster:
    """`maker` writes orders, `report` runs on them and reads them, `board` runs on rates."""
    await cluster.save(
        a_dag(a_task("make", outlets=(ORDERS,)), dag_id="maker", file="maker.py"),
        a_dag(a_task("read", inlets=(ORDERS,)), dag_id="report", file="report.py", assets=ORDERS),
        a_dag(a_task("show"), dag_id="board", file="board.py", assets=RATES),
    )
    return cluster


@pytest.fixture
async def user(shop: Cluster) -> Browser:
    return await browser_of(shop, AccountRole.USER)


async def page_of(cluster: Cluster, name: str) -> str:
    async with cluster.metastore.reading() as tx:
        return f"/assets/{await assets.id_of(tx, name)}"


async def test_without_assets_the_page_says_how_to_get_them(cluster: Cluster) -> None:
    viewer = await browser_of(cluster, AccountRole.VIEWER)

    assert "No DAG names an asset now" in await viewer.get("/assets")


async def test_assets_are_listed_with_who_makes_and_who_uses_them(shop: Cluster, user: Browser) -> None:
    page = await user.get("/assets")
    found = await user.get("/assets", q="ord")
    bank = await user.get("/assets", group="bank")
    nothing = await user.get("/assets", q="<i>")

    row = page.split("<tr>")[2]
    assert "orders" in row and "s3://shop/&lt;orders&gt;" in row and "none yet" in row
    assert '<a href="/dags/maker">' in row and '<a href="/dags/report">' in row
    assert "<b>orders</b>" in found and "<b>rates</b>" not in found
    assert "<b>rates</b>" in bank and "<b>orders</b>" not in bank
    assert "No asset is so." in nothing and 'value="&lt;i&gt;"' in nothing


async def test_an_event_is_made_shown_and_queued(shop: Cluster, user: Browser) -> None:
    path = await page_of(shop, "orders")
    before = await user.get(path)

    led = await user.do(f"{path}/events", extra='{"rows": "<3>"}', partition_key="2026-01-01")
    after = await user.get(path)

    assert led == path
    assert "None yet: the success of a run of maker writes one." in before and "&lt;ada&gt;" in before
    assert "2026-01-01" in after and "1 event" in after and "no task" in after
    assert "&lt;3&gt;" in after and "<3>" not in after


async def test_what_is_queued_is_told_and_forgotten(shop: Cluster, user: Browser) -> None:
    path = await page_of(shop, "orders")
    await user.do(f"{path}/events")
    page = await user.get(path)

    await user.do(f"{path}/forget")

    assert "1 DAG waits for others beside it" in page and "Forget what is queued" in page
    assert "waits for others" not in await user.get(path)
    await user.fail(f"{path}/forget", 404)


@pytest.mark.parametrize(
    ("extra", "message"), [("{", "extra is no JSON"), ("[1]", "extra: Input should be a valid dictionary")]
)
async def test_a_wrong_event_comes_back_with_what_was_typed(
    shop: Cluster, user: Browser, extra: str, message: str
) -> None:
    path = await page_of(shop, "orders")

    page = await user.fail(f"{path}/events", 400, extra=extra, partition_key="<k>")

    assert message in page and f"\n{extra}</textarea>" in page and 'value="&lt;k&gt;"' in page
    assert "None yet" in page


async def test_an_asset_is_materialized_by_a_run_of_its_dag(shop: Cluster, user: Browser) -> None:
    led = await user.do(f"{await page_of(shop, 'orders')}/materialize")

    assert led.startswith("/dags/maker/runs/")
    assert "Materialize" not in await user.get(await page_of(shop, "rates"))
    await user.fail(f"{await page_of(shop, 'rates')}/materialize", 404)


async def test_a_viewer_sees_assets_and_no_button(shop: Cluster, user: Browser) -> None:
    viewer, path = await browser_of(shop, AccountRole.VIEWER), await page_of(shop, "orders")
    await user.do(f"{path}/events")

    page = await viewer.get(path)

    assert 'method="post" action="/assets' not in page
    for end in ("events", "materialize", "forget"):
        await viewer.fail(f"{path}/{end}", 403)
    await viewer.get("/assets/99", 404)
