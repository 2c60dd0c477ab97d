"""The pages of pools."""

import pytest

from flowd.security.account_role import AccountRole
from tests.api.browsers import Browser, browser_of
from tests.api.cluster import Cluster


@pytest.fixture
async def op(cluster: Cluster) -> Browser:
    return await browser_of(cluster, AccountRole.OP)


async def test_a_pool_is_made_changed_and_deleted(cluster: Cluster, op: Browser) -> None:
    made = await op.do("/pools", name="a/b <c>", slots="3", description="of <us>")
    page = await op.get("/pools")
    form = await op.get("/pools/a%2Fb%20%3Cc%3E")

    changed = await op.do("/pools/change", name="a/b <c>", slots="-1", include_deferred="true")
    after = await cluster.get("/api/v2/pools/a/b <c>")
    await op.do("/pools/delete", name="a/b <c>")

    assert made == changed == "/pools"
    assert 'href="/pools/a%2Fb%20%3Cc%3E"' in page and "of &lt;us&gt;" in page and "0 / 3" in page
    assert 'name="slots" type="number" min="-1" required value="3"' in form and " checked" not in form
    assert (after["slots"], after["include_deferred"], after["description"]) == (-1, True, None)
    await cluster.get("/api/v2/pools/a/b <c>", 404)


async def test_the_list_shows_what_holds_and_awaits_slots(cluster: Cluster, op: Browser) -> None:
    instances = await cluster.start(await cluster.trigger())
    await cluster.claim(instances["extract"])

    page = await op.get("/pools")

    assert 'href="/task_instances?pool=default_pool&amp;state=running"' in page
    assert "1 of 128 slots are taken" in page and "<title>1 running</title>" in page and "1 / 128" in page


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"name": "p", "slots": "many"}, 400, "slots: Input should be a valid integer"),
        ({"name": "p", "slots": "-2"}, 400, "slots: Input should be greater than or equal to -1"),
        ({"name": "", "slots": "1"}, 400, "name: String should have at least 1 character"),
        ({"name": "default_pool", "slots": "1"}, 409, "pool &#39;default_pool&#39; exists already"),
    ],
)
async def test_a_wrong_form_comes_back_with_what_is_wrong_and_what_was_typed(
    op: Browser, fields: dict[str, str], status: int, message: str
) -> None:
    page = await op.fail("/pools", status, description="<mine>", **fields)

    assert f'role="alert">{message}' in page
    assert 'value="&lt;mine&gt;"' in page and f'value="{fields["slots"]}"' in page
    assert '<details class="new" open>' in page


async def test_a_wrong_change_changes_nothing(cluster: Cluster, op: Browser) -> None:
    page = await op.fail("/pools/change", 400, name="default_pool", slots="x", description="d")

    assert "slots: Input should be a valid integer" in page and 'value="x"' in page
    assert (await cluster.get("/api/v2/pools/default_pool"))["slots"] == 128


async def test_the_default_pool_has_no_button_to_delete_it_and_stays(cluster: Cluster, op: Browser) -> None:
    page = await op.get("/pools/default_pool")
    refused = await op.fail("/pools/delete", 400, name="default_pool")

    assert "Delete" not in page and "Default Pool can&#39;t be deleted" in refused


async def test_what_is_not_there_is_told(op: Browser) -> None:
    await op.get("/pools/nope", 404)
    assert "<b>default_<wbr>pool</b>" in await op.get("/pools", q="default")
    assert "No pool has <code>&lt;i&gt;</code> in its name" in await op.get("/pools", q="<i>")
    for path in ("/pools/change", "/pools/delete"):
        assert "the form has no name" in await op.fail(path, 400)
        await op.fail(path, 404, name="nope", slots="1")


async def test_a_viewer_sees_pools_and_no_button(cluster: Cluster) -> None:
    viewer = await browser_of(cluster, AccountRole.VIEWER)

    pages = await viewer.get("/pools") + await viewer.get("/pools/default_pool")

    assert "Make a pool" not in pages and 'action="/pools' not in pages.replace('method="get" action="/pools"', "")
    for path in ("/pools", "/pools/change", "/pools/delete"):
        await viewer.fail(path, 403, name="p", slots="1")


async def test_a_form_with_text_that_cannot_be_stored_is_refused(op: Browser) -> None:
    await op.fail("/pools", 400, name="a\0b", slots="1")
