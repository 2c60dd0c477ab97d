"""Cancelling tasks on the dashboard: one from its page, many from the list after a look at them."""

import pytest

from flowd.domain.states import TaskState
from flowd.security.account_role import AccountRole
from tests.api.browsers import browser_of
from tests.api.cluster import Cluster, with_retries
from tests.api.conftest import ETL
from tests.api.mapped_tasks import MAPPED, start_mapped
from tests.api.test_run_lists import chosen, hidden, states

PAGE = "/dags/etl/runs/one/tasks/extract"
BUTTON = '<button class="danger">Cancel it</button>'


async def test_a_running_task_is_cancelled_from_its_page_and_the_page_says_so_until_it_is_dead(
    cluster: Cluster,
) -> None:
    await cluster.save(with_retries(ETL, 3))
    running = await cluster.claim((await cluster.start(await cluster.trigger()))["extract"])
    user = await browser_of(cluster, AccountRole.USER)
    before = await user.get(PAGE)

    assert await user.do(f"{PAGE}/cancel") == PAGE

    assert BUTTON in before and "Its process is killed, it fails, and no retry follows." in before
    after = await user.get(PAGE)
    assert BUTTON not in after and "cancelled: its worker is killing its process" in after
    assert (await cluster.happen(running)).is_cancel_requested
    (event,) = (await cluster.get("/api/v2/eventLogs", dag_id="etl", event="cancel_task_instance"))["event_logs"]
    assert (event["owner"], event["run_id"], event["task_id"]) == ("user", "one", "extract")


async def test_a_task_that_waits_fails_at_once(cluster: Cluster) -> None:
    await cluster.start(await cluster.trigger())
    user = await browser_of(cluster, AccountRole.USER)
    before = await user.get(PAGE)

    await user.do(f"{PAGE}/cancel")

    assert "It fails at once, and no retry follows." in before
    assert (await states(cluster, "one"))["extract"] == "failed"


@pytest.mark.parametrize("role", [AccountRole.VIEWER, AccountRole.USER])
async def test_there_is_no_button_for_what_has_ended_nor_for_whoever_may_not(
    cluster: Cluster, role: AccountRole
) -> None:
    instances = await cluster.start(await cluster.trigger())
    await cluster.fail(instances["extract"])
    somebody = await browser_of(cluster, role)

    ended, waiting = await somebody.get(PAGE), await somebody.get("/dags/etl/runs/one/tasks/load")

    assert BUTTON not in ended
    assert (BUTTON in waiting) is (role is AccountRole.USER)
    status = 403 if role is AccountRole.VIEWER else 409
    said = await somebody.fail(f"{PAGE}/cancel", status)
    assert ("there is nothing to stop" in said) is (status == 409)


async def test_one_map_index_is_cancelled_and_the_others_go_on(cluster: Cluster) -> None:
    await start_mapped(cluster)
    user = await browser_of(cluster, AccountRole.USER)
    page = "/dags/mapped/runs/one/tasks/m/mapped/1"

    assert f'action="{page}/cancel"' in await user.get(page)
    assert await user.do(f"{page}/cancel") == page

    found = (await cluster.get(f"{MAPPED}/m/listMapped"))["task_instances"]
    assert [one["state"] for one in found] == [None, "failed", None]
    (event,) = (await cluster.get("/api/v2/eventLogs", dag_id="mapped", event="cancel_task_instance"))["event_logs"]
    assert event["map_index"] == 1


async def test_many_are_cancelled_after_a_look_at_those_that_have_not_ended(cluster: Cluster) -> None:
    instances = await cluster.start(await cluster.trigger())
    await cluster.fail(instances["extract"])
    user = await browser_of(cluster, AccountRole.USER)
    page = await user.get("/task_instances")
    assert 'formaction="/task_instances/cancel"' in page

    preview = await user.post("/task_instances/cancel", instance=chosen(page, "instance"), back="/task_instances?a=b")

    assert "Cancel these tasks; their processes are killed, they fail, and no retry follows?" in preview.text
    assert "Yes, 1 task instance<" in preview.text and "tasks/extract" not in preview.text
    assert hidden(preview.text, "instance") == [str(instances["load"].key)]
    assert (await states(cluster, "one"))["load"] is None, "nothing has changed yet"
    # The list may have gone on meanwhile: what has ended by now is left alone.
    sure = {"instance": chosen(page, "instance"), "is_sure": "true", "back": hidden(preview.text, "back")}
    assert await user.do("/task_instances/cancel", **sure) == "/task_instances?a=b"
    assert await states(cluster, "one") == {"extract": TaskState.FAILED, "load": TaskState.FAILED}
