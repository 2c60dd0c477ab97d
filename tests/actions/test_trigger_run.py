"""trigger_run: one run for ever, or a reason why not."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowd.domain.data_interval import DataInterval
from flowd.domain.errors import Conflict, InvalidInput, NotFound
from flowd.domain.timetable import CronDataIntervalTimetable, CronPartitionTimetable, RuntimePartitionTimetable
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.lost_answer import LostAnswer
from tests.support.paper_queue import PaperQueue
from tests.support.specs import NOW, a_dag, a_task

ETL = a_dag(a_task("load"))


async def test_a_run_is_queued_and_the_doorbell_rung_once_it_is_durable(open_site: OpenSite) -> None:
    broker = PaperQueue()
    site = open_site(broker=broker)
    await site.put(ETL)

    run = await site.trigger(conf={"day": "é"}, note="by hand", user="ada")

    assert broker.rung == [[run.key]]
    rows = await site.rows("SELECT state, run_type, triggered_by, triggering_user, note, conf FROM dag_run")
    assert rows == [("queued", "manual", "rest_api", "ada", "by hand", '{"day": "\\u00e9"}')]
    assert run.run_id.startswith("manual__")


async def test_i1_the_same_idempotency_key_returns_the_same_run(site: LedgerSite) -> None:
    await site.put(ETL)

    first = await site.trigger(idempotency_key="k", run_id="first")
    again = await site.trigger(idempotency_key="k", run_id="second")
    other = await site.trigger(idempotency_key="other")

    assert (again.key, again.run_id) == (first.key, "first")
    assert other.key != first.key


async def test_i1_the_same_key_returns_the_run_though_its_dag_is_gone_since(site: LedgerSite) -> None:
    await site.put(ETL)
    run = await site.trigger(idempotency_key="k")
    await site.change("UPDATE dag SET is_active = NOT is_active")

    assert (await site.trigger(idempotency_key="k")).key == run.key


async def test_i1_of_requests_with_one_key_at_once_one_makes_the_run_and_all_get_it(
    open_server_site: OpenSite,
) -> None:
    sites = [open_server_site() for _ in range(3)]
    await sites[0].put(ETL)

    runs = await asyncio.gather(*(site.trigger(idempotency_key="k") for site in sites for _ in range(4)))

    assert len({run.key for run in runs}) == 1
    assert len(await sites[0].rows("SELECT id FROM dag_run")) == 1


async def test_nameless_triggers_at_once_get_a_run_each(open_site: OpenSite) -> None:
    sites = [open_site() for _ in range(2)]
    await sites[0].put(ETL)

    runs = await asyncio.gather(*(site.trigger() for site in sites for _ in range(10)))

    assert len({run.key for run in runs}) == len({run.run_id for run in runs}) == 20


async def test_two_that_are_asked_for_in_one_tick_of_the_clock_get_names_of_their_own(site: LedgerSite) -> None:
    await site.put(ETL)

    first, second = await site.trigger(run_after=NOW), await site.trigger(run_after=NOW)

    assert first.run_id == "manual__2026-01-01T12:00:00+00:00"
    assert second.run_id.startswith(f"{first.run_id}_") and len(second.run_id) == len(first.run_id) + 9


@pytest.mark.parametrize(
    "second", [{"run_id": "mine"}, {"logical_date": NOW}, {"run_id": "mine", "idempotency_key": "fresh"}]
)
async def test_a_name_or_a_date_that_is_taken_is_a_conflict(site: LedgerSite, second: dict[str, Any]) -> None:
    await site.put(ETL)
    await site.trigger(run_id="mine", logical_date=NOW)

    with pytest.raises(
        Conflict, match=r"^DAG 'etl' has a run with the id '.*'( or logical date 2026-01-01T12:00:00\+00:00)? already$"
    ):
        await site.trigger(**second)

    assert len(await site.rows("SELECT id FROM dag_run")) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"run_id": ""}, "^the run id has 0 characters; wanted 1 to 250$"),
        ({"run_id": "r" * 251}, "^the run id has 251 characters; wanted 1 to 250$"),
        ({"run_id": "a/b"}, "^the run id 'a/b' has other characters than letters, digits and"),
        ({"run_id": "a\n"}, "^the run id 'a.n' has other characters"),
        ({"conf": {"a": object()}}, "^conf is not a JSON object: "),
        ({"conf": {"a": float("nan")}}, "^conf is not a JSON object: "),
        ({"conf": {"a": "x" * 2**20}}, "^conf has 1048585 bytes of JSON; wanted at most 1048576$"),
    ],
    ids=["empty", "long", "slash", "newline", "object", "nan", "huge"],
)
async def test_what_cannot_be_is_refused_and_makes_nothing(
    open_sqlite_site: OpenSite, fields: dict[str, Any], message: str
) -> None:
    site = open_sqlite_site()
    await site.put(ETL)

    with pytest.raises(InvalidInput, match=message):
        await site.trigger(**fields)

    assert await site.rows("SELECT id FROM dag_run") == []


async def test_a_parameter_without_a_default_must_be_given(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("load"), params={"day": {"description": "which"}, "n": {"value": 1}}))

    with pytest.raises(InvalidInput, match=r"day has no default and was not given; add it to conf$"):
        await site.trigger(conf={"n": 2})

    await site.trigger(conf={"day": "today"})


async def test_an_unknown_dag_and_one_whose_file_is_gone_are_not_found(site: LedgerSite) -> None:
    await site.put(ETL)
    async with site.metastore.transaction() as tx:
        await tx.execute("UPDATE dag SET is_active = :no", {"no": False})

    with pytest.raises(NotFound, match=r"^The Dag with ID: `nosuch` was not found$"):
        await site.trigger("nosuch")
    with pytest.raises(NotFound, match="no longer in the DAG folder: put its file back"):
        await site.trigger()


async def test_a_run_of_a_date_gets_the_interval_that_its_timetable_gives_it(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("load"), timetable=CronDataIntervalTimetable("0 0 * * *", "UTC")))
    day = timedelta(days=1)
    midnight = NOW.replace(hour=0)

    await site.trigger(run_id="inferred", logical_date=NOW)
    await site.trigger(run_id="given", logical_date=NOW + day, data_interval=DataInterval(NOW, NOW + day))
    await site.trigger(run_id="undated")
    await site.settle()

    messages = {one.assignment.run_id: one.assignment.run for one in await site.worker().claim_next(["default"], 9)}
    intervals = {name: (run.data_interval_start, run.data_interval_end) for name, run in messages.items()}
    assert intervals == {"inferred": (midnight - day, midnight), "given": (NOW, NOW + day), "undated": (None, None)}


async def test_a_run_is_pinned_to_the_version_of_its_dag_at_that_moment(site: LedgerSite) -> None:
    await site.put(ETL)
    run = await site.trigger()
    await site.put(a_dag(a_task("other")))

    await site.settle()

    assert await site.states(run) == {"load": "queued"}


@pytest.mark.parametrize("fields", [{}, {"run_id": "mine"}, {"logical_date": NOW}], ids=["nameless", "named", "dated"])
async def test_i1_a_commit_whose_answer_was_lost_made_the_run_that_is_returned(
    metastore_url: str, fields: dict[str, Any]
) -> None:
    metastore = LostAnswer(metastore_url)
    site = LedgerSite(metastore)
    await site.put(ETL)
    metastore.is_next_lost = True

    run = await site.trigger(**fields)

    assert await site.rows("SELECT id FROM dag_run") == [(run.key,)]
    assert not metastore.is_next_lost
    await metastore.close()


async def test_a_run_of_a_partition_is_asked_for_where_the_dag_has_some(open_sqlite_site: OpenSite) -> None:
    site = open_sqlite_site()
    hourly = CronPartitionTimetable("0 * * * *", "Asia/Tokyo", key_format="%Y-%m-%dT%H")
    await site.put(
        ETL,
        a_dag(a_task("t"), dag_id="hourly", timetable=hourly),
        a_dag(a_task("t"), dag_id="runtime", timetable=RuntimePartitionTimetable()),
    )

    await site.trigger("hourly", partition_key="2026-03-02T10")
    await site.trigger("runtime", partition_key="us")

    assert await site.rows("SELECT partition_key, partition_date FROM dag_run ORDER BY id") == [
        ("2026-03-02T10", datetime(2026, 3, 2, 1, tzinfo=UTC).timestamp() * 1e6), ("us", None)
    ]  # fmt: skip
    for dag_id, key, message in (
        ("etl", "us", "'etl' is not a partitioned Dag"),
        ("runtime", " ", "not blank"),
        ("runtime", "k" * 251, "has 251 characters"),
        ("hourly", "monday", "does not match the timetable's key_format"),
    ):
        with pytest.raises(InvalidInput, match=message):
            await site.trigger(dag_id, partition_key=key)
