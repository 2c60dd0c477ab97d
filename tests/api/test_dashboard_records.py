"""The pages that tell what was and is: import errors, the audit log, the configuration."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from flowd.api.dashboard.event_pages import PAGE_ROWS, ChangeLine, changes_of
from flowd.db import import_errors
from flowd.db.views.audit import AuditEvent
from flowd.security.account_role import AccountRole
from flowd.settings.catalogue import catalogue
from tests.api.browsers import Browser, browser_of
from tests.api.cluster import Cluster


@pytest.fixture
async def op(cluster: Cluster) -> Browser:
    return await browser_of(cluster, AccountRole.OP)


@pytest.fixture
async def viewer(cluster: Cluster) -> Browser:
    return await browser_of(cluster, AccountRole.VIEWER)


async def break_files(cluster: Cluster, **messages: str) -> None:
    async with cluster.metastore.transaction() as tx:
        files = {f"{name}.py": message for name, message in messages.items()}
        await import_errors.replace(tx, list(files), files, await tx.now())


async def test_import_errors_are_shown_searched_and_read_again(cluster: Cluster, op: Browser) -> None:
    assert "Every file of the DAG folder could be read" in await op.get("/import_errors")
    await break_files(cluster, bad="SyntaxError: <no>", worse="boom")

    page = await op.get("/import_errors")
    found = await op.get("/import_errors", q="wor")
    nothing = await op.get("/import_errors", q="<i>")
    led = await op.do("/import_errors/reparse", file="bad.py")

    assert "bad.py" in page and "SyntaxError: &lt;no&gt;" in page and "worse.py" in page
    assert "worse.py" in found and "bad.py" not in found
    assert "has <code>&lt;i&gt;</code> in its name" in nothing
    assert led == "/import_errors"
    await op.fail("/import_errors/reparse", 404, file="nope.py")
    await op.fail("/import_errors/reparse", 400)


async def test_a_viewer_sees_import_errors_and_no_button(cluster: Cluster, viewer: Browser) -> None:
    await break_files(cluster, bad="boom")

    assert "Read it again" not in await viewer.get("/import_errors")
    await viewer.fail("/import_errors/reparse", 403, file="bad.py")


async def test_the_audit_log_tells_who_changed_what(cluster: Cluster, op: Browser) -> None:
    assert "Nobody has changed anything yet" in await op.get("/events")
    await op.do("/pools", name="<p>", slots="2")
    await op.do("/pools/change", name="<p>", slots="3")
    await op.do("/dags/etl/pause", is_paused="true")

    page = await op.get("/events")
    pools = await op.get("/events", event="pool")
    of_dag = await op.get("/events", dag="etl")
    nobody = await op.get("/events", who="nobody")

    rows = page.split('<tr id="event-')[1:]
    assert len(rows) == 3
    assert 'href="/dags/etl"' in rows[0] and "The ETL" in rows[0]
    assert re.search(r"pool &lt;p&gt;.*slots</span> <del>2</del> → <ins>3</ins>", rows[1])
    assert "made" in rows[2] and "&lt;p&gt;" in rows[2]
    assert (pools.count('<tr id="event-'), of_dag.count('<tr id="event-')) == (2, 1)
    assert "Nothing in the log is so." in nobody


async def test_the_audit_log_is_bounded_in_the_readers_time_zone(cluster: Cluster, op: Browser) -> None:
    await op.do("/pools", name="p", slots="2")
    ahead = (datetime.now(UTC) + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M")

    assert "Nothing in the log is so." in await op.get("/events", since=ahead)
    assert '<tr id="event-' in await op.get("/events", until=ahead)
    op.cookies["flowd_zone"] = "Asia/Kathmandu"
    assert '<tr id="event-' in await op.get("/events", since=ahead)
    assert "since is &#39;soon&#39;; wanted a date and time as 2026-01-31T23:59" in await op.get(
        "/events", 400, since="soon"
    )


async def test_the_audit_log_is_paged_both_ways_and_keeps_its_filters(cluster: Cluster, op: Browser) -> None:
    for number in range(PAGE_ROWS + 1):
        await op.do("/pools", name=f"p{number:02}", slots="1")

    def link(page: str, words: str) -> str:
        (found,) = re.findall(rf'href="(/events\?[^"]*cursor=[^"]*)">{words}', page)
        return str(found).replace("&amp;", "&")

    first = await op.get("/events", event="pool")
    second = await op.get(link(first, "older →"))
    back = await op.get(link(second, "← newer"))

    assert "pool p50" in first and "pool p00" not in first and "← newer" not in first
    assert "pool p00" in second and "pool p50" not in second and "older →" not in second
    assert "pool p50" in back and 'name="event" value="pool"' in back
    await op.get("/events", 400, cursor="x")


def test_changes_are_told_value_by_value() -> None:
    event = AuditEvent(
        id=1, at=datetime(2026, 1, 1, tzinfo=UTC), event="e", owner="o", dag_id=None, dag_display_name=None,
        run_id=None, task_id=None, task_display_name=None, map_index=None, try_number=None, logical_date=None,
        extra='{"changes": [{"thing": "a", "before": {"x": 1, "y": "s"}, "after": {"x": 2, "y": "s"}},'
        ' {"thing": "b", "before": null, "after": {"on": true}}, '
        '{"thing": "c", "before": {"on": true}, "after": null}]}',
    )  # fmt: skip

    assert changes_of(event) == [
        ChangeLine("a", "changed", [("x", "1", "2")]),
        ChangeLine("b", "made", [("on", None, "true")]),
        ChangeLine("c", "removed", [("on", "true", None)]),
    ]


async def test_an_admin_sees_each_setting_with_its_source_and_no_secret(cluster: Cluster) -> None:
    admin = await browser_of(cluster, AccountRole.ADMIN)

    page = await admin.get("/config")
    found = await admin.get("/config", q="worker.lease")
    changed = await admin.get("/config", show="set")
    nothing = await admin.get("/config", q="<i>")

    assert page.count('<td class="value">') == len(catalogue())
    assert not [secret for secret in cluster.settings.secret_texts() if secret in page]
    assert found.count('<td class="value">') >= 1 and "FLOWD__WORKER__LEASE" in found
    assert '<span class="quiet">default</span>' not in changed
    assert "No setting is so." in nothing and 'value="&lt;i&gt;"' in nothing


async def test_the_configuration_is_the_admins_alone(op: Browser) -> None:
    assert "/config" not in await op.get("/dags")
    await op.get("/config", 403)
