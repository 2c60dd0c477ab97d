"""Writing setups and teardowns: every spelling, `with` blocks, groups, and mistakes."""

from collections.abc import Callable
from typing import Any

import pytest

from flowd import DAG, EmptyOperator, TaskGroup, setup, task, task_group, teardown
from flowd.domain.dag_spec import dag_from_json, dag_to_json
from flowd.domain.errors import InvalidDag
from flowd.domain.trigger_rules import TriggerRule
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.serialize import serialize


def empty(task_id: str, **keywords: Any) -> BaseOperator:
    return EmptyOperator(task_id=task_id, **keywords)


def edges(dag: DAG) -> dict[str, list[str]]:
    return {one.task_id: sorted(one.downstream_task_ids) for one in dag.tasks}


def test_a_setup_and_a_teardown_are_so_in_the_spec() -> None:
    with DAG("d") as dag:
        empty("a") >> empty("t").as_teardown(setups=[empty("s"), empty("s2")], on_failure_fail_dagrun=True)

    spec = serialize(dag, "d.py")

    assert edges(dag) == {"a": ["t"], "s": ["t"], "s2": ["t"], "t": []}
    assert {one.task_id: one.role.value for one in spec.tasks} == {
        "a": "work", "s": "setup", "s2": "setup", "t": "teardown",
    }  # fmt: skip
    last = spec.tasks[-1]
    assert (last.trigger_rule, last.on_failure_fail_dagrun) == (TriggerRule.ALL_DONE_SETUP_SUCCESS, True)
    assert dag_from_json(dag_to_json(spec)) == spec


def test_functions_become_setups_and_teardowns_by_their_decorators() -> None:
    with DAG("d") as dag:

        @setup
        def create() -> str:
            return "cluster"

        @setup
        @task(task_id="create_too")
        def other() -> None: ...

        @teardown
        def delete(name: str) -> None: ...

        @teardown(on_failure_fail_dagrun=True)
        @task
        def strict() -> None: ...

        made = create.override(task_id="made")()
        made >> delete(made)
        other() >> strict()

    assert [one.task_id for one in dag.tasks if one.is_setup] == ["made", "create_too"]
    assert [(one.task_id, one.on_failure_fail_dagrun) for one in dag.tasks if one.is_teardown] == [
        ("delete", False),
        ("strict", True),
    ]


def test_the_tasks_of_a_with_block_run_between_setup_and_teardown() -> None:
    with DAG("d") as dag:
        outside = empty("outside")
        with empty("t1").as_teardown(setups=empty("s1")) as scope:
            empty("w1") >> empty("w2")
            with empty("t2").as_teardown(setups=empty("s2")):
                empty("inner")
            empty("w3")
            scope.add_task(outside)

    assert edges(dag) == {
        "outside": ["t1"], "t1": [], "s1": ["outside", "s2", "t1", "w1", "w3"], "w1": ["w2"], "w2": ["t1"],
        "t2": ["t1"], "s2": ["inner", "t2"], "inner": ["t2"], "w3": ["t1"],
    }  # fmt: skip


def test_a_with_block_takes_a_chain_an_output_and_a_setup_alone() -> None:
    @task
    def create() -> None: ...

    @task
    def delete() -> None: ...

    with DAG("d") as dag:
        begin, end = create().as_setup(), delete().as_teardown()
        with begin >> end:
            empty("w")
        with empty("alone").as_setup():
            empty("v")

    assert edges(dag) == {"create": ["delete", "w"], "delete": [], "w": ["delete"], "alone": ["v"], "v": []}


def test_what_is_behind_a_group_waits_for_its_work_and_not_for_its_teardowns() -> None:
    with DAG("d") as dag:
        with TaskGroup("g") as group, empty("t").as_teardown(setups=empty("s")):
            empty("w")
        with TaskGroup("bare") as bare:
            empty("t").as_teardown(setups=empty("s"))
        empty("before") >> group >> empty("after")
        bare >> empty("behind")

    assert edges(dag) == {
        "g.t": [], "g.s": ["g.t", "g.w"], "g.w": ["after", "g.t"], "bare.t": ["behind"], "bare.s": ["bare.t"],
        "before": ["g.s"], "after": [], "behind": [],
    }  # fmt: skip


def test_a_block_that_raises_leaves_none_open() -> None:
    with DAG("d") as dag:
        with pytest.raises(KeyError), empty("s").as_setup():
            empty("w")
            raise KeyError
        empty("next")

    assert edges(dag) == {"s": [], "w": [], "next": []}


@task_group
def some_group() -> None: ...


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: empty("x").as_setup().as_teardown(), "'x' is a setup, and cannot be a teardown too"),
        (lambda: empty("x").as_teardown().as_setup(), "'x' is a teardown, and cannot be a setup too"),
        (lambda: empty("x").__enter__(), "'x' stands before a `with` block and is neither setup nor teardown"),
        (lambda: setattr(empty("x"), "on_failure_fail_dagrun", True), "'x' is no teardown"),
        (lambda: setup(some_group), "@setup was put before task group 'some_group'"),
        (lambda: teardown(some_group), "@teardown was put before task group 'some_group'"),
        (lambda: setattr(empty("x").as_teardown(), "trigger_rule", "always"), "is a teardown and has trigger_rule"),
        (
            lambda: empty("s").as_setup() >> empty("x", trigger_rule="all_done"),
            "'x': it follows setup 's' and has trigger_rule 'all_done'; what directly follows a setup has all_success",
        ),
    ],
)
def test_a_mistake_says_what_is_wrong(mistake: Callable[[], Any], message: str) -> None:
    with DAG("d") as dag, pytest.raises(InvalidDag, match=message):
        mistake()
        serialize(dag, "d.py")
