"""What tasks ask people: over the API in Airflow's shapes, and by the form on the task's page."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from flowd.db import deferrals, hitl
from flowd.db.hitl import Question
from flowd.db.ledger import read, write
from flowd.domain.deferral import Deferral, Resume
from flowd.domain.task_events import Deferred
from flowd.domain.task_instance import TaskInstance
from tests.api.cluster import TOKEN, Cluster
from tests.api.test_airflow_client import model
from tests.api.test_dashboard import browser, csrf_of, problems_of

__all__ = ["browser"]

RUN = "/api/v2/dags/etl/dagRuns/one"
DETAILS = f"{RUN}/taskInstances/extract/-1/hitlDetails"
PAGE = "/dags/etl/runs/one/tasks/extract"
ROWS = {"value": 3, "description": "how many", "schema": {"type": "integer", "minimum": 1}}
QUESTION = Question(
    subject="Go <on>?", body="Think.", options=["yes", "no"], defaults=["no"], params={"rows": ROWS}
)  # fmt: skip


async def asking(cluster: Cluster, question: Question = QUESTION, *, is_deferred: bool = True) -> TaskInstance:
    """Let the task `extract` ask, and wait."""
    instance = await cluster.claim((await cluster.start(await cluster.trigger()))["extract"])
    async with cluster.metastore.transaction() as tx:
        now = await tx.now()
        await hitl.ask(tx, instance.key, 1, question, now)
        if is_deferred:
            held = await read.instances(tx, [instance.key])
            (after,) = await write.apply(tx, [(held[instance.key], Deferred(TOKEN, timedelta(hours=1)))], now)
            assert isinstance(after, TaskInstance)
            waits = Deferral(otherwise=Resume(method="execute_complete", is_timeout=True))
            await deferrals.store(tx, [deferrals.Deferred(instance=after, token=TOKEN, deferral=waits)])
            return after
    return instance


async def answer(cluster: Cluster, status: int = 200, **body: Any) -> Any:
    return await cluster.send("PATCH", DETAILS, body, status)


async def state(cluster: Cluster) -> str:
    return str((await cluster.get(f"{RUN}/taskInstances/extract"))["state"])


async def test_an_answer_lets_the_task_go_on_and_is_given_once(either: Cluster) -> None:
    await asking(either)

    given = await answer(either, chosen_options=["yes"], params_input={"rows": 5})

    assert await state(either) == "scheduled"
    assert (given["chosen_options"], given["params_input"]) == (["yes"], {"rows": 5})
    detail = await either.get(DETAILS)
    assert detail["response_received"] and detail["responded_by_user"] == given["responded_by"]
    refused = await answer(either, 409, chosen_options=["no"])
    assert "has been answered already" in refused["detail"]["message"]


async def test_airflows_client_understands_what_is_asked_and_answered(cluster: Cluster) -> None:
    await asking(cluster)

    model("HITLDetail").from_dict(await cluster.get(DETAILS))
    model("HITLDetailCollection").from_dict(await cluster.get(f"{RUN}/hitlDetails"))
    model("HITLDetailHistory").from_dict(await cluster.get(f"{DETAILS}/tries/1"))
    model("HITLDetailResponse").from_dict(await answer(cluster, chosen_options=["no"]))


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"chosen_options": ["maybe"]}, 400, "chosen_options has maybe; wanted of: yes, no"),
        ({"chosen_options": ["yes", "no"]}, 400, "chosen_options has 2 options; this question takes one"),
        ({"chosen_options": ["yes"], "params_input": {"row": 1}}, 400, "params_input has row, which is not asked for"),
        ({"chosen_options": ["yes"], "params_input": {"rows": 0}}, 400, "rows: 0 is less than the minimum of 1"),
        ({"chosen_options": []}, 422, "at least 1 item"),
    ],
)
async def test_an_answer_that_the_question_does_not_allow_is_refused(
    cluster: Cluster, body: dict[str, Any], status: int, message: str
) -> None:
    await asking(cluster)

    assert message in str(await answer(cluster, status, **body))
    assert await state(cluster) == "deferred"


async def test_only_those_who_are_asked_may_answer(cluster: Cluster) -> None:
    await asking(cluster, Question(subject="?", options=["yes"], assigned_users=({"id": "9", "name": "grace"},)))

    assert "not among those who are to answer: 9, grace" in str(await answer(cluster, 403, chosen_options=["yes"]))


async def test_what_is_not_asked_or_does_not_wait_cannot_be_answered(cluster: Cluster) -> None:
    await asking(cluster, is_deferred=False)

    assert "does not wait for an answer: it is running" in str(await answer(cluster, 409, chosen_options=["yes"]))
    assert not (await cluster.get(DETAILS))["response_received"], "the answer was not kept"
    missing = f"{RUN}/taskInstances/load/-1/hitlDetails"
    await cluster.send("PATCH", missing, {"chosen_options": ["yes"]}, 404)
    await cluster.get(missing, 404)


async def test_questions_are_listed_by_whether_they_are_answered(cluster: Cluster) -> None:
    await asking(cluster)

    found = await cluster.get("/api/v2/dags/~/dagRuns/~/hitlDetails", response_received="false", subject_pattern="go")
    none = await cluster.get("/api/v2/dags/~/dagRuns/~/hitlDetails", response_received="true")

    assert [one["subject"] for one in found["hitl_details"]] == ["Go <on>?"] and found["total_entries"] == 1
    assert none == {"hitl_details": [], "total_entries": 0}


async def test_the_form_on_the_tasks_page_answers(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    await asking(cluster)
    page = (await browser.get(PAGE)).text

    sent = await browser.post(f"{PAGE}/answer", data={"csrf": csrf_of(page), "option": "yes", "param:rows": "7"})

    after = (await browser.get(PAGE)).text
    assert "Go &lt;on&gt;?" in page and 'value="no" checked' in page and problems_of(page) == []
    assert (sent.status_code, sent.headers["location"]) == (303, PAGE)
    assert (await cluster.get(DETAILS))["params_input"] == {"rows": 7}
    assert "answered by ada" in after and problems_of(after) == []


async def test_a_link_may_fill_in_the_form(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    await asking(cluster)

    page = (await browser.get(f"{PAGE}?option=yes&param%3Arows=%22%3E7")).text

    assert 'value="yes" checked' in page and 'value="no" checked' not in page
    assert 'name="param:rows" value="&#34;&gt;7"' in page and problems_of(page) == []
