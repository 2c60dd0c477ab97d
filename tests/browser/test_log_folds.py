"""Groups of a log: folded, opened by hand, and by a link to a line in one."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_every_page import last_run, log_in
from tests.support.node_process import NodeProcess

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(900)]

TASK = "load.search_index"


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def page(node: NodeProcess, chromium: Browser, request: pytest.FixtureRequest) -> Page:
    context = chromium.new_context(java_script_enabled=request.param)
    request.addfinalizer(context.close)
    page = log_in(context, node)
    page.goto(f"{node.url}/dags/sales_orders_etl/runs/{last_run(node, 'sales_orders_etl')}/tasks/{TASK}")
    return page


def test_a_group_is_folded_and_opens(page: Page) -> None:
    fold = page.locator("#log details")
    expect(fold).to_have_count(1)
    expect(fold.locator("summary")).to_have_text(re.compile(r"Shards 2 lines$"))
    expect(page.get_by_text("shard 1 of 2")).to_be_hidden()
    expect(page.get_by_text("indexed")).to_be_visible()
    expect(page.locator("#log")).not_to_contain_text("::endgroup::")
    fold.locator("summary").click()

    expect(page.get_by_text("shard 1 of 2")).to_be_visible()


def test_a_link_to_a_line_in_a_group_shows_it(page: Page) -> None:
    line = page.locator("#log .line", has_text="shard 2 of 2")
    place, name = page.url, line.get_attribute("id")
    page.goto("about:blank")
    page.goto(f"{place}#{name}")
    expect(line).to_be_visible()

    line.get_by_role("link").click()
    page.wait_for_url(re.compile(r"start=\d+#at-\d+$"))
    expect(page.locator("#log .line:target")).to_contain_text("shard 2 of 2")
    expect(page.locator("#log .line:target")).to_be_visible()
