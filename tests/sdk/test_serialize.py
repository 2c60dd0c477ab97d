"""Serialisation: every DAG becomes a spec that is the same in every process, or an error that says where."""

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd import DAG, BashOperator, EmptyOperator, Param, PythonOperator
from flowd.domain.dag_spec import DagSpec, dag_from_json, dag_to_json, structural_hash
from flowd.domain.errors import InvalidDag
from flowd.domain.task_spec import TaskSpec
from flowd.domain.trigger_rules import TriggerRule
from flowd.domain.work import BashWork, NoWork, PythonWork
from flowd.sdk.dag_file import load
from flowd.sdk.exceptions import DagWarning
from flowd.sdk.serialize import serialize

DAGS = str(Path(__file__).parent / "dags")


@pytest.fixture(scope="module")
def tour() -> DagSpec:
    return spec_of("tour.py", "tour")


def spec_of(file: str, dag_id: str) -> DagSpec:
    return next(serialize(dag, file) for dag in load(DAGS, file) if dag.dag_id == dag_id)


def by_id(spec: DagSpec) -> dict[str, TaskSpec]:
    return {task.task_id: task for task in spec.tasks}


def spec_with(make: Callable[[], Any], **dag: Any) -> DagSpec:
    with DAG("d", **{"start_date": datetime(2026, 1, 1), **dag}) as made:
        make()
    return serialize(made, "d.py")


def test_a_dag_is_described_whole(tour: DagSpec) -> None:
    assert tour.start_date == datetime(2026, 1, 1, tzinfo=UTC)
    assert (tour.file, tour.catchup, tour.dagrun_timeout) == ("tour.py", True, timedelta(hours=2))
    assert tour.has_run_callbacks
    assert tour.params["limit"] == {
        "value": 10,
        "description": "rows",
        "schema": {"type": "integer", "minimum": 1},
    }
    assert tour.presentation["tags"] == ["a", "b", "c"]
    assert tour.presentation["owner"] == "ana"
    assert tour.presentation["groups"]["children"][4]["children"] == ["load.fast", "load.slow"]
    assert {"source": "branch", "target": "load.fast", "label": "choose"} in tour.presentation["edges"]


def test_only_what_needs_no_python_travels_without_it(tour: DagSpec) -> None:
    work = {task_id: task.work for task_id, task in by_id(tour).items()}

    assert work["extract"] == BashWork(script="echo 1", env={"A": "b"}, append_env=True, cwd="/tmp")
    assert work["start"] == NoWork()
    for task_id in ("templated", "watched", "scripted", "fed"):
        assert work[task_id] == PythonWork(file="tour.py", callable="bash")
    assert work["branch"] == PythonWork(file="tour.py", callable="pick")
    assert work["end"] == PythonWork(file="tour.py", callable="EmptyOperator.execute")


def test_a_task_is_described_whole(tour: DagSpec) -> None:
    fast = by_id(tour)["load.fast"]

    assert (fast.operator, fast.pool, fast.retry.retries, fast.upstream) == ("PythonOperator", "db", 2, ("branch",))
    assert fast.presentation["group"] == "load"
    assert fast.presentation["label"] == "fast"
    assert fast.presentation["owner"] == "ana"
    assert by_id(tour)["end"].trigger_rule is TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS
    assert by_id(tour)["fed"].upstream == ("extract",)


def test_a_decorated_dag_is_described_whole() -> None:
    tasks = by_id(spec_of("tour.py", "made_by_call"))

    assert sorted(tasks) == ["choose", "g.double", "number", "other"]
    assert (tasks["number"].operator, tasks["number"].retry.retries, tasks["number"].priority) == ("@task", 3, 7)
    assert tasks["g.double"].upstream == ("choose", "other")
    assert tasks["choose"].operator == "@task.branch"


def test_every_spec_survives_json() -> None:
    for dag in load(DAGS, "tour.py"):
        spec = serialize(dag, "tour.py")
        assert dag_from_json(json.loads(json.dumps(dag_to_json(spec)))) == spec


def test_two_processes_with_different_hash_seeds_give_one_structural_hash() -> None:
    code = (
        "import sys; from flowd.sdk.dag_file import load; from flowd.sdk.serialize import serialize;"
        "from flowd.domain.dag_spec import structural_hash;"
        "print([structural_hash(serialize(d, 'tour.py')) for d in load(sys.argv[1], 'tour.py')])"
    )

    hashes = {
        subprocess.run(
            [sys.executable, "-c", code, DAGS], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }

    here = str([structural_hash(serialize(dag, "tour.py")) for dag in load(DAGS, "tour.py")])
    assert {text.decode().strip() for text in hashes} == {here}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12), st.permutations(range(6)))
def test_the_order_in_which_tasks_are_written_does_not_matter(pairs: list[tuple[int, int]], order: list[int]) -> None:
    def write(numbers: list[int]) -> DagSpec:
        with DAG("d") as made:
            tasks = {number: EmptyOperator(task_id=f"t{number}") for number in numbers}
            for one, other in pairs:
                if one < other:
                    tasks[one] >> tasks[other]
        return serialize(made, "d.py")

    assert structural_hash(write(list(range(6)))) == structural_hash(write(order))


def test_weights_add_up_over_every_task_on_the_rules_side_once() -> None:
    def diamond() -> None:
        a, b, c, d = (
            EmptyOperator(task_id=name, priority_weight=weight, weight_rule=rule)
            for name, weight, rule in [
                ("a", 1, "downstream"),
                ("b", 2, "absolute"),
                ("c", 4, "upstream"),
                ("d", 8, "upstream"),
            ]
        )
        a >> [b, c] >> d

    assert {task.task_id: task.priority for task in spec_with(diamond).tasks} == {"a": 15, "b": 2, "c": 5, "d": 15}


def test_what_json_lacks_becomes_text_without_addresses() -> None:
    class Thing:
        pass

    spec = spec_with(lambda: None, params={"x": Param(Thing()), "s": {"b", "a"}, "t": timedelta(1)})

    assert spec.params["x"]["value"].endswith("Thing object>")
    assert spec.params["s"]["value"] == ["a", "b"]
    assert spec.params["t"]["value"] == "1 day, 0:00:00"


def circle() -> None:
    a, b = EmptyOperator(task_id="a"), EmptyOperator(task_id="b")
    a >> b >> a


@pytest.mark.parametrize(
    ("make", "dag", "message"),
    [
        (circle, {}, "^d.py: DAG 'd': its tasks wait for each other in a circle: "),
        (
            lambda: EmptyOperator(task_id="t", trigger_rule="all_done"),
            {"fail_fast": True},
            "^d.py: DAG 'd': fail_fast=True, and task 't' has trigger_rule 'all_done'",
        ),
        (
            lambda: EmptyOperator(task_id="t", trigger_rule="all_good"),
            {},
            "^d.py: DAG 'd': task 't': trigger_rule 'all_good': no such rule",
        ),
        (lambda: EmptyOperator(task_id="t", retries=-1), {}, "task 't': retries is -1, wanted 0 or more"),
        (lambda: EmptyOperator(task_id="t", weight_rule="mine"), {}, "task 't': weight_rule is 'mine', wanted one of"),
        (lambda: EmptyOperator(task_id="t", on_lost="shrug"), {}, "task 't': 'shrug' is not a valid OnLost"),
        (
            lambda: EmptyOperator(task_id="t", retry_delay=timedelta.max),
            {},
            "task 't': its retry_delay is 999999999 days, wanted at most 36525",
        ),
        (lambda: EmptyOperator(task_id="t"), {"dagrun_timeout": timedelta.max}, "its dagrun_timeout is 999999999 days"),
    ],
)
def test_what_cannot_be_honoured_is_an_error_with_advice(make: Any, dag: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDag, match=message):
        spec_with(make, **dag)


def test_a_task_that_begins_before_its_dag_begins_with_it() -> None:
    spec = spec_with(
        lambda: EmptyOperator(task_id="t"),
        default_args={"start_date": datetime(2025, 1, 1)},
        start_date=datetime(2026, 1, 1),
    )
    without = spec_with(lambda: EmptyOperator(task_id="t", start_date=datetime(2026, 3, 1)), start_date=None)

    assert spec.start_date == datetime(2026, 1, 1, tzinfo=UTC)
    assert without.start_date == datetime(2026, 3, 1, tzinfo=UTC)
    assert [spec.tasks[0].start_date, without.tasks[0].start_date] == [None, None]


def test_a_task_has_dates_of_its_own_where_they_are_inside_the_dags() -> None:
    march, april, may = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4, 5))
    own = {"start_date": april, "end_date": april}

    inside = spec_with(lambda: EmptyOperator(task_id="t", **own), start_date=march, end_date=may)
    outside = spec_with(
        lambda: EmptyOperator(task_id="t", start_date=march, end_date=may), start_date=april, end_date=april
    )
    endless = spec_with(lambda: [EmptyOperator(task_id="t", end_date=april), EmptyOperator(task_id="u", end_date=may)])

    assert (inside.tasks[0].start_date, inside.tasks[0].end_date, inside.end_date) == (april, april, may)
    assert (outside.tasks[0].start_date, outside.tasks[0].end_date) == (None, None)
    assert [task.end_date for task in endless.tasks] == [april, may]
    assert endless.end_date == may, "where every task has an end, the last is the DAG's"


@pytest.mark.parametrize(
    ("make", "dag", "message"),
    [
        (lambda: None, {"start_date": datetime(2026, 1, 1, 1, 2, 3, 4)}, "looks like the time of parsing"),
        (lambda: EmptyOperator(task_id="t", sla=timedelta(1)), {}, "task 't': sla has no effect"),
    ],
)
def test_what_is_lost_harmlessly_is_a_warning(make: Any, dag: dict[str, Any], message: str) -> None:
    with pytest.warns(DagWarning, match=message):
        spec_with(make, **dag)


@pytest.mark.parametrize(
    ("keywords", "is_python"),
    [
        ({"email": "a@b"}, True),
        ({"email": ["a@b"], "email_on_failure": False}, True),
        ({"email": "a@b", "email_on_failure": False, "email_on_retry": False}, False),
        ({"email": ""}, False),
    ],
)
def test_a_bash_task_that_sends_mail_needs_python(keywords: dict[str, Any], is_python: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec = spec_with(lambda: BashOperator(task_id="t", bash_command="true", **keywords))

    assert isinstance(spec.tasks[0].work, PythonWork) is is_python


@pytest.mark.parametrize(
    ("callback", "work"),
    [
        ("on_failure_callback", NoWork()),
        ("on_retry_callback", NoWork()),
        ("on_success_callback", PythonWork(file="d.py", callable="EmptyOperator.execute")),
        ("on_execute_callback", PythonWork(file="d.py", callable="EmptyOperator.execute")),
    ],
)
def test_an_empty_task_needs_python_only_for_a_callback_that_can_come_about(callback: str, work: Any) -> None:
    spec = spec_with(lambda: EmptyOperator(task_id="t"), default_args={callback: print})

    assert spec.tasks[0].work == work


def test_an_id_and_attributes_may_be_members_of_an_enumeration_or_set_later() -> None:
    def write() -> None:
        task = EmptyOperator(task_id=TriggerRule.ONE_DONE, trigger_rule=TriggerRule.ONE_DONE)
        later = BashOperator(task_id="later", bash_command="true")
        later.retries, later.doc_md, later.bash_command = 4, "how", task.output

    one_done, later = sorted(spec_with(write).tasks, key=lambda task: task.task_id, reverse=True)

    assert type(one_done.task_id) is str
    assert one_done.trigger_rule is TriggerRule.ONE_DONE
    assert (later.retry.retries, later.presentation["doc_md"], later.upstream) == (4, "how", ("one_done",))


@pytest.mark.parametrize(
    "keywords",
    [
        {"bash_command": "echo {# note #} 1"},
        {"bash_command": "run.bash"},
        {"bash_command": "true", "env": {"A": "{{ ds }}"}},
        {"bash_command": "true", "cwd": "/x/{{ ds }}"},
        {"bash_command": "true", "pre_execute": print},
        {"bash_command": "true", "output_processor": len},
    ],
)
def test_a_bash_task_that_needs_python_is_python_work(keywords: dict[str, Any]) -> None:
    spec = spec_with(lambda: BashOperator(task_id="t", **keywords))

    assert isinstance(spec.tasks[0].work, PythonWork)


def test_a_subclass_of_the_bash_operator_is_python_work() -> None:
    class Louder(BashOperator):
        pass

    spec = spec_with(lambda: Louder(task_id="t", bash_command="true"))

    assert spec.tasks[0].work == PythonWork(file="d.py", callable="bash")


def test_a_callable_without_a_name_is_described_by_its_class() -> None:
    class Callable_:
        def __call__(self) -> None: ...

    spec = spec_with(lambda: PythonOperator(task_id="t", python_callable=Callable_()))

    assert isinstance(spec.tasks[0].work, PythonWork)
    assert spec.tasks[0].work.callable.endswith("Callable_")


def test_an_access_control_that_means_nothing_is_an_error_of_the_file() -> None:
    with pytest.raises(InvalidDag, match="DAG 'd': access_control of 'team': 'can_fly' is no permission for DAGs"):
        serialize(DAG("d", access_control={"team": {"can_fly"}}), "d.py")
