"""Every page in a real browser: nothing fails in it, nothing comes from elsewhere, it fits, it is accessible."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from flowd.api.access import ACCESS
from tests.support.node_process import ADMIN_PASSWORD, NodeProcess

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(900)]

LOOKS = [("light", 1440), ("dark", 1440), ("light", 1024), ("dark", 400)]
DAG, RUN = "sales_orders_etl", "{run}"
NO_PAGES = ("/api/", "/auth/", "/ui/", "/livez", "/readyz", "/metrics", "/webhooks/", "/login/oidc")
PLAIN = tuple(
    path
    for method, path in (name.split(" ") for name in ACCESS)
    if method == "GET" and "{" not in path and not path.startswith(NO_PAGES)
)
"""Every page whose path names nothing: a new one is looked at as well."""

PAGES = (
    *PLAIN,
    "/?hours=168",
    "/search?q=sales",
    "/search?q=no-such-thing",
    "/dags?show=failed",
    "/dags?q=no-such-dag",
    *(
        f"/dags/{DAG}{page}"
        for page in (
            "",
            "/graph",
            "/runs",
            "/calendar",
            "/duration",
            "/backfills",
            "/events",
            "/code",
            "/details",
            "/trigger",
        )
    ),
    f"/dags/{DAG}/graph?open=none",
    f"/dags/{DAG}/tasks/transform",
    "/dags/warehouse_refresh?open=none",
    "/dags/flaky_import",
    *(f"/dags/{DAG}/runs/{RUN}{page}" for page in ("", "/graph", "/gantt", "/details")),
    *(f"/dags/{DAG}/runs/{RUN}/tasks/transform{page}" for page in ("", "/details", "/rendered", "/xcom")),
    f"/dags/{DAG}/runs/{RUN}/tasks/load.search_index",
    "/dag_runs?state=failed",
    f"/assets/graph?dag={DAG}&side=downstream",
    "/assets/graph?asset=no-such-asset",
    "/no/such/page",
)
ERRORS_EXPECTED = {"/no/such/page": 404}


def log_in(context: BrowserContext, node: NodeProcess) -> Page:
    """Open a page in which the admin is logged in."""
    page = context.new_page()
    page.goto(f"{node.url}/login")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", ADMIN_PASSWORD)
    page.click("main button")
    return page


def last_run(node: NodeProcess, dag_id: str) -> str:
    """Return the run that the node itself made."""
    runs = node.get(f"/api/v2/dags/{dag_id}/dagRuns", order_by="-id", limit=1)["dag_runs"]
    return str(runs[0]["dag_run_id"]).replace("+", "%2B").replace(":", "%3A")


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_every_page_is_sound(
    node: NodeProcess, chromium: Browser, pictures: Path | None, theme: str, width: int
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]
    page = log_in(context, node)
    found: list[str] = []
    here = ""
    page.on(
        "console",
        lambda said: found.append(f"{here}: console {said.type}: {said.text}") if said.type == "error" else None,
    )
    page.on("pageerror", lambda error: found.append(f"{here}: {error}"))
    page.on(
        "request",
        lambda request: (
            found.append(f"{here}: asks {request.url}")
            if urlsplit(request.url).netloc != urlsplit(node.url).netloc
            else None
        ),
    )
    run = last_run(node, DAG)
    for path in PAGES:
        here = path
        expected = ERRORS_EXPECTED.get(path, 200)
        before = len(found)
        answer = page.goto(node.url + path.replace(RUN, run))
        assert answer is not None and answer.status == expected, (path, answer and answer.status)
        if expected != 200:
            # Chromium says itself, as an error, that the page was not found.
            del found[before:]
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            found.append(f"{path}: {wide} px wide in a window of {width}")
        found += [
            f"{path}: {one['id']}: {one['nodes'][0]['html'][:150]}" for one in Axe().run(page).response["violations"]
        ]
        if pictures is not None:
            page.screenshot(path=pictures / f"{path.strip('/').replace('/', '_') or 'home'}-{theme}-{width}.png")
    context.close()

    assert found == [], "\n".join(found)
