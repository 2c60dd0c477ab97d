"""What a push would change: which DAGs, which tasks, when they run, and who else has them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flowd.domain.bundle_plan import (
    BundleContent,
    BundlePlan,
    ChangeKind,
    Standing,
    StandingDag,
    UnfinishedRuns,
    plan_bundle,
    plan_to_json,
)
from flowd.domain.dag_diff import ChangedTask, diff_dags
from flowd.domain.dag_spec import DagSpec
from flowd.domain.data_interval import DataInterval
from flowd.domain.ids import BundleHash
from flowd.domain.timetable import CronTriggerTimetable
from flowd.domain.work import BashWork
from tests.support.specs import NOW, a_dag, a_task

DAILY, HOURLY = CronTriggerTimetable("0 0 * * *", "UTC"), CronTriggerTimetable("0 * * * *", "UTC")
START = datetime(2025, 1, 1, tzinfo=UTC)


def standing(*dags: DagSpec, name: str | None = "team", is_active: bool = True, **fields: Any) -> Standing:
    """What is in service under the name `team`: these DAGs, of the source `name`."""
    defaults: dict[str, Any] = {"revision": 1, "version": 1, "manifest": {dag.file: "1" for dag in dags}}
    by_id = {
        dag.dag_id: StandingDag(
            spec=dag, number=1, bundle_name=name, is_active=is_active, first_seen_at=NOW, last_interval=None
        )
        for dag in dags
    }
    return Standing(name="team", dags=by_id, **(defaults | fields))


def content(*dags: DagSpec, **fields: Any) -> BundleContent:
    defaults: dict[str, Any] = {"manifest": {dag.file: "1" for dag in dags}, "errors": {}}
    return BundleContent(bundle=BundleHash("b" * 64), dags=dags, **(defaults | fields))


def plan(held: Standing, new: BundleContent) -> BundlePlan:
    return plan_bundle(held, new, now=NOW)


def test_dags_are_added_changed_and_removed_and_what_stays_is_counted() -> None:
    same, gone, old = a_dag(dag_id="same"), a_dag(dag_id="gone", file="gone.py"), a_dag(a_task("a"), dag_id="etl")
    new, changed = a_dag(a_task("n"), dag_id="new", file="new.py"), a_dag(a_task("a"), a_task("b"), dag_id="etl")

    made = plan(standing(same, gone, old), content(same, new, changed))

    assert [(one.dag_id, one.kind) for one in made.dags] == [
        ("etl", ChangeKind.CHANGED),
        ("gone", ChangeKind.REMOVED),
        ("new", ChangeKind.ADDED),
    ]
    assert made.dags[2].diff.tasks_added == ("n",)
    assert made.unchanged == 1 and not made.is_empty


def test_the_same_files_that_define_the_same_change_nothing() -> None:
    made = plan(standing(a_dag()), content(a_dag()))

    assert made.is_empty and made.unchanged == 1


def test_a_dag_whose_file_alone_has_another_text_is_changed_in_its_source() -> None:
    made = plan(standing(a_dag(a_task("a"))), content(a_dag(a_task("a")), manifest={"etl.py": "2"}))

    (change,) = made.dags
    assert change.is_source_changed and change.diff.is_empty
    assert (made.files.changed, made.files.names) == (1, ("~ etl.py",))


def test_tasks_are_compared_field_by_field() -> None:
    before = a_dag(a_task("a"), a_task("b", pool="small", presentation={"owner": "ada", "label": "B"}), a_task("c"))
    after = a_dag(
        a_task("a", work=BashWork(script="false")),
        a_task("b", pool="large", presentation={"owner": "eve", "label": "B"}),
        a_task("d", after=["a"]),
        catchup=True,
    )

    diff = diff_dags(before, after)

    assert (diff.fields, diff.tasks_added, diff.tasks_removed) == (("catchup",), ("d",), ("c",))
    assert diff.tasks_changed == (
        ChangedTask(task_id="a", fields=("work",)),
        ChangedTask(task_id="b", fields=("owner", "pool")),
    )
    assert diff_dags(after, after).is_empty


def test_the_next_runs_are_told_before_and_after_and_go_on_from_the_last() -> None:
    before = a_dag(timetable=DAILY, start_date=START)
    held = standing(before)
    last = DataInterval.at(NOW.replace(hour=0))
    dag = replace(held.dags[before.dag_id], last_interval=last, unfinished=(RUNNING,))

    (change,) = plan(replace(held, dags={before.dag_id: dag}), content(replace(before, timetable=HOURLY))).dags

    assert [moment.day for moment in change.fire_times_before] == [2, 3, 4]
    assert [moment.hour for moment in change.fire_times_after] == [12, 13, 14]
    assert change.unfinished == (RUNNING,)


RUNNING = UnfinishedRuns(version=1, state="running", count=2)


def test_a_dag_of_another_source_is_not_taken_over() -> None:
    dag = a_dag(dag_id="etl", file="new.py")

    of_folder = plan(standing(a_dag(dag_id="etl"), name=None), content(dag))
    of_bundle = plan(standing(a_dag(dag_id="etl"), name="other"), content(dag))

    assert "etl.py of the DAG folder already" in of_folder.errors["new.py"]
    assert "etl.py of the bundle other already" in of_bundle.errors["new.py"]
    assert of_folder.dags == of_bundle.dags == ()


def test_a_dag_that_no_source_has_in_service_any_more_may_be_brought_back() -> None:
    made = plan(standing(a_dag(dag_id="etl"), name=None, is_active=False), content(a_dag(dag_id="etl")))

    assert not made.errors and made.dags[0].kind is ChangeKind.ADDED


def test_a_dag_id_in_two_files_is_an_error_of_the_later() -> None:
    made = plan(standing(), content(a_dag(dag_id="x", file="b.py"), a_dag(dag_id="x", file="a.py")))

    assert set(made.errors) == {"b.py"} and "a.py of the same bundle" in made.errors["b.py"]
    assert [one.file for one in made.dags] == ["a.py"]


def test_the_hash_is_another_exactly_where_another_thing_would_be_done() -> None:
    old, new = a_dag(timetable=DAILY, start_date=START), a_dag(a_task("a"), timetable=DAILY, start_date=START)
    first = plan(standing(old), content(new))

    later = plan_bundle(standing(old), content(new), now=NOW.replace(day=9))
    busy = replace(standing(old).dags[old.dag_id], unfinished=(RUNNING,))
    running = plan(replace(standing(old), dags={old.dag_id: busy}), content(new))
    others = {
        plan(standing(old, revision=2), content(new)).hash,
        plan(standing(replace(old, catchup=True)), content(new)).hash,
        plan(standing(old), content(replace(new, catchup=True))).hash,
        plan(standing(), content(new)).hash,
        plan_bundle(standing(old), content(new), now=NOW, to_version=1).hash,
    }

    assert first.hash == later.hash == running.hash
    assert first.hash not in others and len(others) == 5


def test_as_json_it_holds_all_of_it_and_its_hash() -> None:
    made = plan(standing(), content(a_dag(a_task("a"), timetable=DAILY)))

    document = plan_to_json(made)

    assert document["hash"] == made.hash
    assert document["dags"][0]["fire_times_after"][0] == "2026-01-02T00:00:00+00:00"
