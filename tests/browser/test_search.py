"""The search palette in a real browser: by the keyboard alone, accessible; and the page it is without scripts."""

import re
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.test_every_page import last_run, log_in
from tests.support.node_process import NodeProcess

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(900)]


@pytest.fixture
def page(node: NodeProcess, chromium: Browser, request: pytest.FixtureRequest) -> Page:
    context = chromium.new_context(viewport={"width": 1024, "height": 700})
    request.addfinalizer(context.close)
    page = log_in(context, node)
    page.goto(f"{node.url}/pools")
    return page


@pytest.mark.parametrize("keys", ["/", "Control+k", "Meta+k"])
def test_a_dag_is_found_by_the_keyboard_alone(node: NodeProcess, page: Page, keys: str) -> None:
    page.keyboard.press(keys)
    page.keyboard.type("flaky")
    palette = page.get_by_role("dialog", name="Search")
    expect(palette.get_by_role("status")).to_have_text(re.compile("found"))
    page.keyboard.press("Enter")

    page.wait_for_url(f"{node.url}/dags/flaky_import")


def test_enter_before_the_answer_goes_to_the_first_of_it(node: NodeProcess, page: Page) -> None:
    def late(route: Route) -> None:
        page.wait_for_timeout(300)
        route.continue_()

    page.route("**/search?q=flaky", late)
    page.keyboard.press("/")
    page.keyboard.type("flaky")
    page.keyboard.press("Enter")

    page.wait_for_url(f"{node.url}/dags/flaky_import")


def test_results_are_chosen_with_the_arrows_and_typing_goes_on(node: NodeProcess, page: Page) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("sales")
    hits = page.locator("#palette .hits a")
    expect(hits.first).to_contain_text("sales")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(hits.nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#palette input")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.type(" transform")
    expect(page.locator("#palette input")).to_have_value("sales transform")
    expect(hits).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    page.wait_for_url(f"{node.url}/dags/sales_orders_etl/tasks/transform")


def test_a_run_is_found_by_its_id(node: NodeProcess, page: Page) -> None:
    in_url = last_run(node, "sales_orders_etl")
    run = unquote(in_url)
    page.keyboard.press("/")
    page.keyboard.insert_text(run)
    expect(page.locator("#palette .hits a").first).to_contain_text(run)
    page.keyboard.press("Enter")

    # Runs of several DAGs may have this id, as their schedules have it: any of them will do.
    page.wait_for_url(re.compile(rf"/dags/\w+/runs/{re.escape(in_url)}"))


def test_it_closes_and_gives_the_focus_back(page: Page) -> None:
    button = page.locator("summary", has_text="Browse")
    button.focus()
    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.locator("#palette")).to_be_hidden()
    expect(button).to_be_focused()


def test_the_box_of_the_bar_opens_it_and_a_slash_in_a_field_does_not(page: Page) -> None:
    page.locator("summary", has_text="Make a pool").click()
    page.get_by_label("Description").press("/")
    expect(page.get_by_label("Description")).to_have_value("/")
    expect(page.locator("#palette")).to_be_hidden()
    page.locator(".find input").click()
    expect(page.locator("#palette input")).to_be_focused()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_accessible_and_fits(node: NodeProcess, page: Page, theme: str, pictures: object) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    for width in (1024, 400):
        page.set_viewport_size({"width": width, "height": 700})
        page.goto(f"{node.url}/dags")
        page.keyboard.press("/")
        page.keyboard.type("sales")
        expect(page.locator("#palette .hits a").first).to_be_visible()
        if pictures is not None:
            page.screenshot(path=f"{pictures}/palette-{theme}-{width}.png")
        assert Axe().run(page).response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts_the_box_leads_to_the_page_of_results(node: NodeProcess, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = log_in(context, node)
    page.locator(".find input").fill("flaky")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{node.url}/search?q=flaky")
    page.locator("#found a").first.click()

    page.wait_for_url(f"{node.url}/dags/flaky_import")
    context.close()
