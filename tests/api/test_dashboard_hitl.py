"""The inbox of questions to people."""

from flowd.db.hitl import Question
from flowd.security.account_role import AccountRole
from tests.api.browsers import browser_of
from tests.api.cluster import Cluster
from tests.api.test_hitl import answer, asking


async def test_what_waits_for_an_answer_leads_to_its_form(cluster: Cluster) -> None:
    viewer = await browser_of(cluster, AccountRole.VIEWER)
    assert "Nothing waits for an answer." in await viewer.get("/hitl")
    mine = Question(
        subject="Go <on>?",
        body="<b>",
        options=["yes", "no"],
        assigned_users=[{"id": "viewer", "name": "viewer"}, {"id": "x", "name": "<x>"}],
    )
    await asking(cluster, mine)

    page = await viewer.get("/hitl")

    assert '<a href="/dags/etl/runs/one/tasks/extract"><b>Go &lt;on&gt;?</b></a>' in page
    assert "<b>you</b>, &lt;x&gt;" in page and "yes, no" in page and "◐</i> deferred" in page
    assert "Go &lt;on&gt;?" in await viewer.get("/hitl", q="go ")
    assert "No question here has <code>&lt;i&gt;</code> in it" in await viewer.get("/hitl", q="<i>")


async def test_what_was_answered_waits_no_more(cluster: Cluster) -> None:
    viewer = await browser_of(cluster, AccountRole.VIEWER)
    await asking(cluster)

    await answer(cluster, chosen_options=["yes"], params_input={"rows": 5})

    assert "Nothing waits for an answer." in await viewer.get("/hitl")
    assert "yes <span" in await viewer.get("/hitl", show="answered")
    assert "Go &lt;on&gt;?" in await viewer.get("/hitl", show="all")
