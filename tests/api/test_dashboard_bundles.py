"""The pages of pushed bundles."""

import re

import pytest

from flowd.security.account_role import AccountRole
from tests.api.browsers import Browser, browser_of
from tests.api.cluster import Cluster
from tests.api.test_pushed_bundles import a_dag_file, applied, planned


@pytest.fixture
async def op(cluster: Cluster) -> Browser:
    """A browser of a cluster with the bundle `team` in its second version."""
    for tasks in ("a", "a b"):
        await applied(cluster, await planned(cluster, etl=a_dag_file(tasks=tasks)))
    return await browser_of(cluster, AccountRole.OP)


async def current(cluster: Cluster) -> int:
    version = await cluster.send("GET", "/api/v2/bundles/team", None)
    return int(version["version_number"])


async def test_without_bundles_the_page_says_how_to_push_one(cluster: Cluster) -> None:
    assert "flowd bundles push DIR" in await (await browser_of(cluster, AccountRole.OP)).get("/bundles")


async def test_bundles_versions_and_what_each_changed_are_shown(op: Browser) -> None:
    bundles, versions = await op.get("/bundles"), await op.get("/bundles/team")
    second = await op.get("/bundles/team/versions/2")

    assert 'href="/bundles/team"' in bundles and "version 2" in bundles
    assert (
        versions.count("in service</span>") == 1
        and "Go to version 1…" in versions
        and "Go to version 2…" not in versions
    )
    assert re.search(r"1 DAG changes.*\+b", second, re.DOTALL) and "1 changed" in second
    await op.get("/bundles/nope", 404)
    await op.get("/bundles/team/versions/9", 404)


async def test_a_rollback_is_shown_first_and_done_by_its_hash(cluster: Cluster, op: Browser) -> None:
    place = await op.do("/bundles/rollback", bundle_name="team", version_number="1")
    plan = await op.get(place)
    before = await current(cluster)

    led = await op.do("/bundles/apply", hash=place.rpartition("/")[2])

    assert "version 2 → version 1" in plan and "-b" in plan and "Apply plan " in plan
    assert (before, led, await current(cluster)) == (2, "/bundles/team", 1)
    assert "It was applied: version 1." in await op.get(place)


async def test_a_plan_that_is_out_of_date_is_refused_and_says_so(cluster: Cluster, op: Browser) -> None:
    place = await op.do("/bundles/rollback", bundle_name="team", version_number="1")
    await applied(cluster, await planned(cluster, etl=a_dag_file(tasks="a c")))

    page = await op.fail("/bundles/apply", 409, hash=place.rpartition("/")[2])

    assert "out of date" in page and "Apply plan " not in page and await current(cluster) == 3


async def test_wrong_forms_are_refused(op: Browser) -> None:
    await op.fail("/bundles/rollback", 409, bundle_name="team", version_number="2")
    await op.fail("/bundles/rollback", 404, bundle_name="nope")
    await op.fail("/bundles/rollback", 400, bundle_name="team", version_number="x")
    await op.fail("/bundles/rollback", 400)
    await op.fail("/bundles/apply", 404, hash="0" * 64)
    await op.get(f"/bundle_plans/{'0' * 64}", 404)
    await op.get("/bundle_plans/0", 400)


async def test_others_see_no_bundles(cluster: Cluster, op: Browser) -> None:
    user = await browser_of(cluster, AccountRole.USER)

    await user.get("/bundles", 403)
    await user.fail("/bundles/apply", 403, hash="0" * 64)
    assert 'href="/bundles"' not in await user.get("/dags")
    assert 'href="/bundles"' in await op.get("/dags")
