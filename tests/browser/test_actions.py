"""What people do on pages, in a real browser: with JavaScript off, by the keyboard alone; and open pages."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_every_page import log_in
from tests.support.node_process import NodeProcess

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(900)]

DAG = "sales_orders_etl"


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def page(node: NodeProcess, chromium: Browser, request: pytest.FixtureRequest) -> Page:
    """A page of the admin, with JavaScript and without."""
    context = chromium.new_context(java_script_enabled=request.param)
    request.addfinalizer(context.close)
    return log_in(context, node)


def test_a_dag_is_paused_and_let_go_on(node: NodeProcess, page: Page) -> None:
    page.goto(f"{node.url}/dags/{DAG}")
    for is_paused in (True, False):
        page.get_by_role("switch", name=re.compile(DAG)).click()
        page.wait_for_url(f"{node.url}/dags/{DAG}")
        assert node.get(f"/api/v2/dags/{DAG}")["is_paused"] is is_paused


def test_a_dag_is_triggered_with_a_configuration_and_again_with_the_same(node: NodeProcess, page: Page) -> None:
    page.goto(f"{node.url}/dags/{DAG}/trigger")
    page.get_by_label("Configuration, as JSON").fill('{"why": "a test"}')
    page.get_by_label("Note").fill("by a browser")
    page.locator("form.form button").click()
    page.wait_for_url(f"{node.url}/dags/{DAG}/runs/manual__*")

    expect(page.locator("main")).to_contain_text("by a browser")
    page.get_by_role("link", name="Again with this configuration").click()
    expect(page.get_by_label("Configuration, as JSON")).to_have_value('{\n  "why": "a test"\n}')


def test_a_wrong_configuration_is_said_and_kept(node: NodeProcess, page: Page) -> None:
    page.goto(f"{node.url}/dags/{DAG}/trigger")
    page.get_by_label("Configuration, as JSON").fill("{why}")
    page.locator("form.form button").click()

    expect(page.get_by_role("alert")).to_contain_text("the configuration is no JSON")
    expect(page.get_by_label("Configuration, as JSON")).to_have_value("{why}")


def test_failed_tasks_run_again_after_a_preview(node: NodeProcess, page: Page) -> None:
    page.goto(f"{node.url}/task_instances?dag=flaky_import&state=failed")
    page.locator("input[name=instance]").first.check()
    page.get_by_role("button", name="Run again with those after them…").click()

    expect(page.locator("h1")).to_have_text("Run these tasks again?")
    page.get_by_role("button", name=re.compile("^Yes")).click()
    page.wait_for_url(f"{node.url}/task_instances?dag=flaky_import&state=failed")


def test_theme_and_zone_are_chosen_in_the_menu(node: NodeProcess, page: Page) -> None:
    page.goto(f"{node.url}/dags")
    page.locator("summary", has_text="admin").click()
    page.get_by_label("Theme").select_option("dark")
    page.get_by_label("Time zone").select_option("Asia/Tokyo")
    page.get_by_role("button", name="Keep").click()

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("footer")).to_contain_text("Asia/Tokyo")


def test_a_log_is_searched(node: NodeProcess, page: Page) -> None:
    runs = node.get(f"/api/v2/dags/{DAG}/dagRuns", order_by="-id", limit=1, state="success")["dag_runs"]
    page.goto(f"{node.url}/dags/{DAG}/runs/{runs[0]['dag_run_id']}/tasks/transform".replace("+", "%2B"))
    page.get_by_label("Find in the whole log").fill("JOINING")
    page.get_by_role("button", name="Find").click()

    expect(page.locator("h2").first).to_contain_text("1 line with")
    expect(page.locator("pre.log").first).to_contain_text("joining")


def test_a_line_of_a_log_has_a_link_of_its_own(node: NodeProcess, page: Page) -> None:
    runs = node.get(f"/api/v2/dags/{DAG}/dagRuns", order_by="-id", limit=1, state="success")["dag_runs"]
    page.goto(f"{node.url}/dags/{DAG}/runs/{runs[0]['dag_run_id']}/tasks/transform".replace("+", "%2B"))
    last = page.locator("#log .line").last
    words, time = last.inner_text().strip(), last.get_by_role("link")
    time.click()
    page.wait_for_url(re.compile(r"start=\d+#at-\d+$"))

    expect(page.locator("#log .line").first).to_have_text(words)
    expect(page.locator("#log .line:target")).to_have_text(words)


def test_an_open_page_shows_what_happens_without_being_asked(node: NodeProcess, chromium: Browser) -> None:
    context = chromium.new_context()
    page = log_in(context, node)
    page.goto(f"{node.url}/dags/{DAG}")
    page.evaluate("window.isTheSamePage = true")
    page.get_by_label("Task").fill("half typed")
    before = page.locator(".grid thead td").count()

    run = node.trigger(DAG)

    expect(page.locator(f'.grid thead a[aria-label="run {run}: success"]')).to_have_count(1, timeout=60_000)
    assert page.evaluate("window.isTheSamePage") is True, "it was renewed, not loaded again"
    expect(page.get_by_label("Task")).to_have_value("half typed")
    assert page.locator(".grid thead td").count() >= min(before, 14)
    context.close()


def test_the_live_switch_is_remembered(node: NodeProcess, chromium: Browser) -> None:
    context = chromium.new_context()
    page = log_in(context, node)
    page.goto(f"{node.url}/dags")
    switch = page.get_by_role("button", name="live")
    expect(switch).to_have_attribute("aria-pressed", "true")
    switch.click()
    page.goto(f"{node.url}/dag_runs")
    expect(page.get_by_role("button", name="live")).to_have_attribute("aria-pressed", "false")
    context.close()


def test_the_keyboard_alone_finds_its_menu(node: NodeProcess, chromium: Browser) -> None:
    context = chromium.new_context()
    page = log_in(context, node)
    page.goto(f"{node.url}/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the page")
    page.locator("summary", has_text="Browse").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_be_visible()
    context.close()
