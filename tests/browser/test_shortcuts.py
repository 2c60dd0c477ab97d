"""Keyboard shortcuts: each that is listed does something, and none does it while somebody types."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_every_page import log_in
from tests.support.node_process import NodeProcess

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(900)]

DAG = "sales_orders_etl"
NO_PAGES = {"?", "/", "Ctrl+k", "j", "k", "[", "]", "l"}


@pytest.fixture
def page(node: NodeProcess, chromium: Browser, request: pytest.FixtureRequest) -> Page:
    context = chromium.new_context(viewport={"width": 1024, "height": 900})
    request.addfinalizer(context.close)
    return log_in(context, node)


def test_every_shortcut_that_leads_to_a_page_leads_there(node: NodeProcess, page: Page) -> None:
    rows = page.locator("#shortcuts [data-keys]").evaluate_all(
        "rows => rows.map(row => [row.dataset.keys, row.dataset.go])"
    )

    assert {keys for keys, place in rows if place is None} == NO_PAGES
    for keys, place in rows:
        if place is not None:
            page.goto(f"{node.url}/account")
            for key in keys.split(" "):
                page.keyboard.press(key)
            page.wait_for_url(f"{node.url}{place}")


def test_the_list_opens_closes_and_is_accessible(node: NodeProcess, page: Page, pictures: object) -> None:
    for width in (1024, 400):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{node.url}/dags")
        page.keyboard.press("?")
        listed = page.get_by_role("dialog", name="Keyboard shortcuts")
        expect(listed).to_be_visible()
        if pictures is not None:
            page.screenshot(path=f"{pictures}/shortcuts-{width}.png")
        assert Axe().run(page).response["violations"] == []
        page.keyboard.press("l")
        listed.get_by_role("button", name="Close").click()
        expect(listed).to_be_hidden()
        expect(page.get_by_role("button", name="live")).to_have_attribute("aria-pressed", "true")
    page.locator("summary", has_text="admin").click()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(listed).to_be_visible()


def test_rows_tabs_and_the_live_switch(node: NodeProcess, page: Page) -> None:
    page.goto(f"{node.url}/dags")
    for keys, wanted in (("j", "flaky_import"), ("j", "ml_churn_training"), ("k", "flaky_import")):
        page.keyboard.press(keys)
        expect(page.locator(":focus")).to_have_text(wanted)
    page.keyboard.press("l")
    expect(page.get_by_role("button", name="live")).to_have_attribute("aria-pressed", "false")
    page.goto(f"{node.url}/dags/{DAG}/runs")
    page.keyboard.press("]")
    page.wait_for_url(f"{node.url}/dags/{DAG}/calendar")
    page.keyboard.press("[")
    page.wait_for_url(f"{node.url}/dags/{DAG}/runs")


def test_none_does_anything_while_somebody_types(node: NodeProcess, page: Page) -> None:
    page.goto(f"{node.url}/dags")
    page.get_by_label("Find", exact=True).click()
    page.keyboard.type("g d ?/lj[")

    expect(page.get_by_label("Find", exact=True)).to_have_value("g d ?/lj[")
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert page.url == f"{node.url}/dags"
    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).to_be_visible()
