"""DagSpec survives JSON, and its structural hash is as stable and as sensitive as a DAG version needs."""

import json
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from flowd.domain.asset_watch import WatcherSpec
from flowd.domain.assets import AssetSpec
from flowd.domain.dag_spec import (
    LONGEST_DURATION,
    DagSpec,
    check_durations,
    dag_from_json,
    dag_to_json,
    structural_hash,
)
from flowd.domain.deadline import DeadlineKind, DeadlineSpec
from flowd.domain.deferral import TriggerSpec
from flowd.domain.errors import InvalidDag
from flowd.domain.ids import TaskId
from flowd.domain.map_length import Expansion, ResultLength
from flowd.domain.partition.plan import Partitioning
from flowd.domain.retry import RetryPolicy
from flowd.domain.task_spec import OnLost, StartMethod, TaskRole, TaskSpec, task_from_json, task_to_json
from flowd.domain.timetable import DeltaTriggerTimetable, OnceTimetable
from flowd.domain.trigger_rules import TriggerRule
from flowd.domain.work import PythonWork
from tests.support.specs import NOW, a_dag, a_task, dag_specs, task_specs

PINNED_HASH = "b1229fd6edb989127f10af0d4f87a0094f8db1c1d8e82b7e63c1270e9e3929ef"
"""Stored versions hold such hashes: where this must change, FORMAT must."""

ORDERS = AssetSpec(name="orders", uri="s3://orders")
DAG_CHANGES: dict[str, Any] = {
    "dag_id": "other",
    "file": "other.py",
    "timetable": OnceTimetable(),
    "assets": ORDERS,
    "partitioning": Partitioning(),
    "watchers": (WatcherSpec(asset="orders", name="w", trigger=TriggerSpec(classpath="a.B", kwargs={}, file="")),),
    "tasks": (a_task("get"), a_task("load", after=["get"])),
    "start_date": NOW,
    "end_date": NOW,
    "catchup": True,
    "max_active_runs": 1,
    "max_active_tasks": 1,
    "max_consecutive_failed_runs": 1,
    "dagrun_timeout": timedelta(seconds=1),
    "is_paused_upon_creation": False,
    "params": {"day": {"value": 1}},
    "has_run_callbacks": True,
    "fail_fast": True,
    "deadlines": (DeadlineSpec(kind=DeadlineKind.FIXED, interval=timedelta(hours=1), moment=NOW),),
    "presentation": {"tags": ["a"]},
}
TASK_CHANGES: dict[str, Any] = {
    "task_id": "other",
    "operator": "Other",
    "work": PythonWork(file="etl.py", callable="load"),
    "upstream": ("get",),
    "trigger_rule": TriggerRule.ALL_DONE,
    "retry": RetryPolicy(retries=1),
    "execution_timeout": timedelta(seconds=1),
    "pool": "other",
    "pool_slots": 2,
    "priority": 2,
    "queue": "other",
    "depends_on_past": True,
    "waits_for_downstream": True,
    "max_active_tis_per_dag": 1,
    "max_active_tis_per_dagrun": 1,
    "on_lost": OnLost.FAIL,
    "start_method": StartMethod.SPAWN,
    "role": TaskRole.SETUP,
    "on_failure_fail_dagrun": True,
    "expansion": Expansion(length=ResultLength(TaskId("a")), group="g"),
    "outlets": (ORDERS,),
    "inlets": (ORDERS,),
    "start_date": NOW,
    "end_date": NOW,
    "presentation": {"owner": "a"},
}


@given(task_specs)
def test_a_task_survives_json(task: TaskSpec) -> None:
    assert task_from_json(json.loads(json.dumps(task_to_json(task)))) == task


@given(dag_specs)
def test_a_dag_and_its_hash_survive_json(dag: DagSpec) -> None:
    read = dag_from_json(json.loads(json.dumps(dag_to_json(dag))))

    assert read == dag
    assert structural_hash(read) == structural_hash(dag)


def test_every_field_has_a_change_here() -> None:
    assert set(DAG_CHANGES) == {field.name for field in fields(DagSpec)}
    assert set(TASK_CHANGES) == {field.name for field in fields(TaskSpec)}


@pytest.mark.parametrize("field", DAG_CHANGES)
def test_the_hash_changes_with_every_field_of_the_dag(field: str) -> None:
    dag = a_dag(a_task("load"))

    changed = replace(dag, **{field: DAG_CHANGES[field]})

    assert structural_hash(changed) != structural_hash(dag)


@pytest.mark.parametrize("field", TASK_CHANGES)
def test_the_hash_changes_with_every_field_of_a_task(field: str) -> None:
    task = a_task("load")

    changed = replace(task, **{field: TASK_CHANGES[field]})

    assert structural_hash(a_dag(changed)) != structural_hash(a_dag(task))


def test_the_hash_is_the_same_in_every_process_and_for_every_order_of_keys() -> None:
    one = a_dag(a_task("load"), params={"a": {"value": 1}, "b": {"value": 2}})
    other = a_dag(a_task("load"), params={"b": {"value": 2}, "a": {"value": 1}})

    assert structural_hash(one) == structural_hash(other) == PINNED_HASH


def test_text_that_utf_8_cannot_hold_has_a_hash() -> None:
    dag = a_dag(presentation={"doc_md": "\udce4"})

    assert len(structural_hash(dag)) == 64


def test_a_dag_of_another_form_is_refused() -> None:
    document = dag_to_json(a_dag()) | {"format": 0}

    with pytest.raises(ValueError, match=r"^DAG 'etl' has form 0, wanted 2: reparse its file$"):
        dag_from_json(document)


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (a_dag(dagrun_timeout=timedelta.max), "DAG 'etl': its dagrun_timeout"),
        (a_dag(timetable=DeltaTriggerTimetable(timedelta.max)), "DAG 'etl': its schedule"),
        (a_dag(a_task("t", execution_timeout=timedelta.max)), "DAG 'etl': task 't': its execution_timeout"),
        (a_dag(a_task("t", retry=RetryPolicy(delay=timedelta.max))), "DAG 'etl': task 't': its retry_delay"),
        (a_dag(a_task("t", retry=RetryPolicy(max_delay=timedelta.max))), "DAG 'etl': task 't': its max_retry_delay"),
    ],
)
def test_a_duration_that_leads_out_of_all_calendars_is_refused_by_name(spec: DagSpec, where: str) -> None:
    with pytest.raises(InvalidDag, match=rf"^{where} is 999999999 days, wanted at most 36525 \(100 years\); leave it"):
        check_durations(spec)


def test_a_duration_of_a_hundred_years_may_be() -> None:
    check_durations(a_dag(a_task("t", execution_timeout=LONGEST_DURATION), dagrun_timeout=LONGEST_DURATION))
