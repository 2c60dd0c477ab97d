"""The pages of backfills."""

import re
from html import unescape
from typing import Any

import pytest

from flowd.db.accounts import Accounts
from flowd.domain.timetable import CronTriggerTimetable, CustomTimetable
from flowd.security.account_role import AccountRole
from tests.api.browsers import Browser, browser_as, browser_of
from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task

DAILY = CronTriggerTimetable("0 0 * * *", "UTC")
JANUARY: dict[str, Any] = {"dag": "daily", "from_date": "2024-01-01T00:00", "to_date": "2024-01-04T00:00"}


@pytest.fixture
async def user(cluster: Cluster) -> Browser:
    await cluster.save(a_dag(a_task("t"), dag_id="daily", file="daily.py", timetable=DAILY))
    return await browser_of(cluster, AccountRole.USER)


async def test_a_backfill_is_looked_at_made_paused_and_cancelled(cluster: Cluster, user: Browser) -> None:
    assert "There are no backfills yet" in await user.get("/backfills")

    preview = await user.get("/backfills/new", **JANUARY, max_active_runs="2", conf='{"a": "<b>"}')
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', preview.split('action="/backfills"')[-1])
    path = await user.do("/backfills", **{name: unescape(value) for name, value in hidden if name != "csrf"})
    page, listed = await user.get(path), await user.get("/backfills")
    await user.do(f"{path}/pause", is_paused="true")
    paused = await user.get(path)
    await user.do(f"{path}/pause", is_paused="false")
    await user.do(f"{path}/cancel")
    ended = await user.get(path)

    assert "4 runs, in this order" in preview and "2024-01-01 00:00:00" in preview
    (made,) = (await cluster.get("/api/v2/backfills", dag_id="daily"))["backfills"]
    assert (made["max_active_runs"], made["dag_run_conf"]) == (2, {"a": "<b>"})
    assert "▶</i> running" in page and "Nothing yet: a scheduler makes its runs." in page and "&lt;b&gt;" in page
    assert f'href="{path}"' in listed
    assert "‖</i> paused" in paused and ">Resume<" in paused
    assert "■</i> ended" in ended and "Cancel" not in ended


async def test_the_dates_of_a_backfill_are_in_the_readers_time_zone(user: Browser) -> None:
    user.cookies["flowd_zone"] = "Asia/Kathmandu"

    page = await user.get("/backfills/new", **JANUARY)

    # From a quarter past six in the evening before, by UTC.
    assert "3 runs, in this order" in page and "2024-01-01 05:45:00" in page


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"dag": "nope"}, 404, "The Dag with ID: `nope` was not found"),
        ({"from_date": "soon"}, 400, "from is &#39;soon&#39;; wanted a date and time"),
        ({"to_date": "2023-01-01T00:00"}, 422, "must not be after"),
        ({"max_active_runs": "0"}, 400, "max_active_runs: Input should be greater than or equal to 1"),
        ({"conf": "{"}, 400, "conf is no JSON"),
        ({"reprocess_behavior": "x"}, 400, "reprocess_behavior: Input should be"),
        ({"dag": "etl"}, 422, "non-periodic schedule"),
    ],
)
async def test_a_wrong_form_comes_back_with_what_was_typed(
    user: Browser, fields: dict[str, str], status: int, message: str
) -> None:
    typed = JANUARY | {"conf": '{"a": "<mine>"}'} | fields

    looked = await user.get("/backfills/new", status, **typed)
    made = await user.fail("/backfills", status, **typed)

    for page in (looked, made):
        assert fields.get("conf") or "&lt;mine&gt;" in page
        assert message in page and f'value="{typed["dag"]}"' in page and f'value="{typed["from_date"]}"' in page
        assert "Make the backfill" not in page


async def test_a_viewer_sees_backfills_and_no_button(cluster: Cluster, user: Browser) -> None:
    path = await user.do("/backfills", **JANUARY)
    viewer = await browser_of(cluster, AccountRole.VIEWER)

    pages = await viewer.get("/backfills") + await viewer.get(path)

    assert "New backfill" not in pages and 'method="post" action="/backfills' not in pages
    assert "No backfill is of <code>&lt;i&gt;</code>" in await viewer.get("/backfills", dag="<i>")
    await viewer.get("/backfills/new", 403)
    for end in ("/backfills", f"{path}/pause", f"{path}/cancel"):
        await viewer.fail(end, 403, **JANUARY, is_paused="true")
    await viewer.get("/backfills/99", 404)


async def test_whoever_may_only_read_a_dag_has_no_button_for_its_backfills(cluster: Cluster, user: Browser) -> None:
    path = await user.do("/backfills", **JANUARY)
    readable = {"access_control": {"hr": ["can_read"]}}
    await cluster.save(a_dag(a_task("t"), dag_id="daily", file="daily.py", timetable=DAILY, presentation=readable))
    await Accounts(cluster.metastore).create("reader", AccountRole.USER, None, ["hr"])
    reader = await browser_as(cluster, "reader")

    assert f'action="{path}' not in await reader.get(path)
    await reader.fail(f"{path}/pause", 403, is_paused="true")
    await reader.get("/backfills/new", 403, **JANUARY)
    await user.get(path, 404)


async def test_a_timetable_of_an_authors_own_has_no_preview_and_is_made_all_the_same(
    cluster: Cluster, user: Browser
) -> None:
    own = CustomTimetable(name="own", summary="own", description="own")
    await cluster.save(a_dag(a_task("t"), dag_id="daily", file="daily.py", timetable=own))

    page = await user.get("/backfills/new", 422, **JANUARY)

    assert "there is no dry run" in page and "Make it without a preview" in page
    assert (await user.do("/backfills", **JANUARY)).startswith("/backfills/")


async def test_a_dag_shows_its_own_backfills_and_events_and_no_others(cluster: Cluster, user: Browser) -> None:
    await cluster.save(a_dag(a_task("t"), dag_id="other", file="other.py", timetable=DAILY))
    before = [await user.get(f"/dags/daily/{tab}") for tab in ("backfills", "events")]

    path = await user.do("/backfills", **JANUARY, reprocess_behavior="none", max_active_runs="2", conf="")
    await user.do("/dags/daily/pause", is_paused="true", back="/")
    backfills, events = [await user.get(f"/dags/daily/{tab}") for tab in ("backfills", "events")]

    assert "It has had no backfill" in before[0] and "Nobody has changed anything of it" in before[1]
    assert f'href="{path}"' in backfills
    assert "is_paused" in events.split("<tbody>")[1]
    assert path not in await user.get("/dags/other/backfills")
    assert "Nobody has changed anything of it" in await user.get("/dags/other/events")
    await user.get("/dags/no-such-dag/backfills", status=404)
