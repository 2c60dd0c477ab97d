"""The graph of all assets: who writes and uses them, around one of them, bounded, and as far as one may see it."""

import re
from dataclasses import replace
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest

from flowd.api.dashboard.asset_graph_pages import MOST_BOXES, drawing_of
from flowd.db import assets
from flowd.db.assets import Made
from flowd.domain.asset_graph import AssetGraph, AssetNode, NodeKind
from flowd.domain.asset_watch import WatcherSpec
from flowd.domain.assets import AliasSpec, AllOf, AssetNews, AssetSpec
from flowd.domain.deferral import TriggerSpec
from flowd.security.account_role import AccountRole
from tests.api.browsers import Browser, browser_of
from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task

ORDERS = AssetSpec(name="<orders>", uri="s3://shop/orders")
RATES = AssetSpec(name="rates", uri="rates", group="bank")
MONEY = AssetSpec(name="money", uri="money")
ANY = AliasSpec(name="any")
WATCHER = WatcherSpec(asset="rates", name="ticker", trigger=TriggerSpec(classpath="a.B", kwargs={}, file=""))
SHOP = (
    a_dag(a_task("make", outlets=(ORDERS, ANY)), dag_id="maker", file="maker.py"),
    a_dag(
        a_task("sum", outlets=(MONEY,)),
        dag_id="bills",
        file="bills.py",
        assets=AllOf((ORDERS, RATES)),
        watchers=(WATCHER,),
    ),
    a_dag(a_task("read", inlets=(MONEY,)), dag_id="report", file="report.py", assets=ANY),
)


@pytest.fixture
async def shop(either: Cluster) -> Cluster:
    """maker → orders → bills → money ⇢ report; ticker → rates → bills; maker → any → report, and any was money once."""
    await either.save(*SHOP)
    async with either.metastore.transaction() as tx:
        news = AssetNews(asset=MONEY, alias="any")
        await assets.record(tx, [Made(instance=None, news=news)], await tx.now())
    return either


@pytest.fixture
async def viewer(shop: Cluster) -> Browser:
    return await browser_of(shop, AccountRole.VIEWER)


def boxes(page: str) -> dict[str, str]:
    """What is drawn, with the words below each."""
    return dict(re.findall(r"<title>([^<]*): ([^<:]*)</title>", page))


def edges(page: str) -> tuple[int, int]:
    """How many edges are drawn along which events go, and along which none goes."""
    return page.count('class="edge"'), page.count('class="edge aside"')


async def test_assets_are_drawn_with_what_makes_and_what_uses_them(viewer: Browser) -> None:
    page = await viewer.get("/assets/graph")

    assert boxes(page) == {
        "&lt;orders&gt;": "asset",
        "rates": "asset in bank",
        "money": "asset",
        "any": "alias",
        "ticker": "watcher",
        "maker": "DAG",
        "bills": "DAG",
        "report": "DAG",
    }
    assert edges(page) == (7, 2), "report only reads money, and any has only stood for it"
    assert '<a href="/dags/maker"><g class="dag">' in page
    assert len(re.findall(r'<a href="/assets/\d+"><g class="asset">', page)) == 3
    assert "not in it" not in page and "Left out" not in page


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({"asset": "rates"}, {"ticker", "rates", "bills", "money", "report"}),
        ({"asset": "rates", "side": "upstream"}, {"ticker", "rates"}),
        ({"asset": "money", "side": "downstream"}, {"money", "report"}),
        ({"dag": "maker", "side": "upstream"}, {"maker"}),
        ({"dag": "bills", "side": "upstream"}, {"maker", "&lt;orders&gt;", "ticker", "rates", "bills"}),
        ({"dag": "maker", "asset": "rates", "side": "upstream"}, {"maker", "ticker", "rates"}),
    ],
)
async def test_what_is_around_an_asset_or_a_dag_is_drawn_alone(
    viewer: Browser, asked: dict[str, Any], shown: set[str]
) -> None:
    assert boxes(await viewer.get("/assets/graph", **asked)).keys() == shown


async def test_what_is_not_there_is_said_and_stays_in_the_form(viewer: Browser) -> None:
    page = await viewer.get("/assets/graph", asset="<none>", dag="etl")

    assert "No DAG in service uses an asset &#39;&lt;none&gt;&#39;." in page and 'value="&lt;none&gt;"' in page
    assert "There is no DAG &#39;etl&#39; in service that uses assets." in page
    assert boxes(page) == {}


async def test_dags_out_of_service_are_left_out_and_so_are_their_assets(shop: Cluster, viewer: Browser) -> None:
    await shop.send("PATCH", "/api/v2/dags/maker", {"is_paused": True})
    async with shop.metastore.transaction() as tx:
        await tx.execute("UPDATE dag SET is_active = :no WHERE dag_id = 'bills'", {"no": False})

    page = await viewer.get("/assets/graph")

    assert boxes(page).keys() == {"maker", "&lt;orders&gt;", "any", "money", "report"}
    assert boxes(page)["maker"] == "DAG, paused"
    assert "1 asset that no DAG in service uses is not in it" in page


async def test_nothing_of_a_dag_that_may_not_be_seen_is_drawn(shop: Cluster, viewer: Browser) -> None:
    bills = SHOP[1]
    await shop.save(replace(bills, presentation={**bills.presentation, "access_control": {"hr": ["can_read"]}}))
    op = await browser_of(shop, AccountRole.OP)

    seen, whole = boxes(await viewer.get("/assets/graph")), boxes(await op.get("/assets/graph"))

    assert whole.keys() - seen.keys() == {"bills", "ticker", "rates"}
    asked: dict[str, Any] = {"dag": "bills"}
    assert "There is no DAG &#39;bills&#39;" in await viewer.get("/assets/graph", **asked)
    assert "bills" in boxes(await op.get("/assets/graph", **asked))


async def test_the_picture_is_a_file_that_is_whole_by_itself(shop: Cluster, viewer: Browser) -> None:
    answer = await shop.anonymous.get(
        "/assets/graph?dag=maker&format=svg", headers={"Cookie": f"flowd_session={viewer.cookies['flowd_session']}"}
    )

    assert answer.headers["Content-Type"].startswith("image/svg+xml")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="assets.svg"'
    root = ElementTree.fromstring(answer.text)
    tags = {one.tag.removeprefix("{http://www.w3.org/2000/svg}") for one in root.iter()}
    assert "style" in tags and "a" not in tags


async def test_a_thousand_assets_are_drawn_as_far_as_a_picture_goes(cluster: Cluster) -> None:
    many = [AssetSpec(name=f"table_{number:04}", uri=f"s3://{number}") for number in range(1_000)]
    specs = [
        a_dag(
            a_task("make", outlets=tuple(many[at : at + 50])), dag_id=f"dag_{at:04}", file=f"{at}.py", assets=many[at]
        )
        for at in range(0, 1_000, 50)
    ]
    await cluster.save(*specs)
    viewer = await browser_of(cluster, AccountRole.VIEWER)

    page = await viewer.get("/assets/graph")
    around = await viewer.get("/assets/graph", asset="table_0999")

    shown = boxes(page)
    dags = sum(words == "DAG" for words in shown.values())
    assert len(shown) == MOST_BOXES
    left_out = f"{1_000 - (MOST_BOXES - dags)} assets, {20 - dags} DAGs"
    assert f"Left out, as it is too much for one picture: {left_out}." in page
    assert boxes(around).keys() == {"dag_0950", "table_0950", "table_0999"} and "Left out" not in around


async def test_without_assets_the_page_says_how_to_get_them(cluster: Cluster) -> None:
    viewer = await browser_of(cluster, AccountRole.VIEWER)

    assert "No DAG names an asset now" in await viewer.get("/assets/graph")


async def test_it_is_found_from_assets_and_by_the_search(shop: Cluster, viewer: Browser) -> None:
    async with shop.metastore.reading() as tx:
        orders = await assets.id_of(tx, "<orders>")

    assert 'href="/assets/graph"' in await viewer.get("/assets")
    assert 'href="/assets/graph?asset=%3Corders%3E"' in await viewer.get(f"/assets/{orders}")
    assert 'href="/assets/graph"' in (await viewer.get("/search", q="asset graph")).partition("<main")[2]


def test_nothing_lies_across_another_where_dags_go_in_a_circle() -> None:
    a, b = (AssetNode(kind=NodeKind.DAG, name=name, label=name) for name in "ab")
    x, y, z = (AssetNode(kind=NodeKind.ASSET, name=name, label=name) for name in "xyz")
    ends = [(a, x), (x, b), (b, y), (y, a), (a, z), (z, a)]
    drawing = drawing_of(AssetGraph(nodes=(a, b, x, y, z), edges=dict.fromkeys(ends, True)))

    assert {box.node for box in drawing.boxes} == {a, b, x, y, z}
    assert {(edge.source, edge.target) for edge in drawing.edges} == set(ends)
    for edge in drawing.edges:
        across = [x for x, _ in edge.points]
        assert across in (sorted(across), sorted(across, reverse=True)), "an edge goes one way, on or back"
    for one, other in combinations(drawing.boxes, 2):
        is_apart_across = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert is_apart_across or one.y + one.height <= other.y or other.y + other.height <= one.y
