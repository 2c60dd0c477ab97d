"""Mapped tasks while a DAG is written: what is linked, what the scheduler is told, and what is refused."""

from typing import Any, cast

import pytest

from flowd import DAG, BashOperator, PythonOperator, task, task_group
from flowd.domain.errors import InvalidDag
from flowd.domain.ids import TaskId
from flowd.domain.map_length import ChainedLength, CrossedLength, Expansion, LiteralLength, ResultLength, ZippedLength
from flowd.domain.task_spec import TaskSpec
from flowd.domain.work import BashWork, PythonWork
from flowd.sdk.serialize import serialize

OF_MAKE = ResultLength(TaskId("make"))


@task
def make() -> list[int]:
    return [1]


@task
def use(x: Any, y: Any = None) -> Any:
    return x


def specs(dag: DAG) -> dict[str, TaskSpec]:
    return {one.task_id: one for one in serialize(dag, "d.py").tasks}


def test_the_scheduler_is_told_the_length_and_what_it_depends_on() -> None:
    with DAG("d") as dag:
        made = make()
        use.override(task_id="literal").expand(x=[1, 2], y={"a": 1, "b": 2, "c": 3})
        use.override(task_id="result").expand(x=made)
        use.override(task_id="kwargs").expand_kwargs(made)
        use.override(task_id="zipped").expand(x=made.zip(made.map(str), fillvalue=0))
        use.override(task_id="chained").expand(x=made.concat(made))

    found = {task_id: spec.expansion.length for task_id, spec in specs(dag).items() if spec.expansion is not None}

    assert found == {
        "literal": CrossedLength((LiteralLength(2), LiteralLength(3))),
        "result": OF_MAKE,
        "kwargs": OF_MAKE,
        "zipped": ZippedLength((OF_MAKE, OF_MAKE), is_longest=True),
        "chained": ChainedLength((OF_MAKE, OF_MAKE)),
    }
    assert specs(dag)["zipped"].upstream == ("make",)


def test_a_mapped_task_waits_for_whatever_output_it_is_given() -> None:
    with DAG("d") as dag:
        one, other, third = (make.override(task_id=name)() for name in ("one", "other", "third"))
        use.partial(y=one).expand(x=[other, third])

    assert specs(dag)["use"].upstream == ("one", "other", "third")
    assert specs(dag)["use"].expansion == Expansion(length=LiteralLength(2))


def test_it_has_the_keywords_of_its_partial_and_the_defaults_of_its_dag() -> None:
    with DAG("d", default_args={"retries": 3, "queue": "slow"}) as dag:
        BashOperator.partial(task_id="b", pool="small", trigger_rule="all_done").expand(bash_command=["true"])

    spec = specs(dag)["b"]

    assert (spec.retry.retries, spec.queue, spec.pool, spec.trigger_rule) == (3, "slow", "small", "all_done")
    assert (spec.operator, spec.presentation["operator_class"]) == ("BashOperator", "BashOperator")
    assert isinstance(spec.work, PythonWork)


def test_a_script_whose_result_is_mapped_over_runs_in_python_where_that_can_be_refused() -> None:
    with DAG("d") as dag:
        say = BashOperator(task_id="say", bash_command="echo 1")
        BashOperator(task_id="alone", bash_command="echo 1")
        use.expand(x=say.output)

    assert isinstance(specs(dag)["say"].work, PythonWork)
    assert isinstance(specs(dag)["alone"].work, BashWork)


def test_a_script_whose_map_index_is_to_be_named_runs_in_python_which_renders_the_name() -> None:
    @task_group
    def group(x: int) -> None:
        BashOperator(task_id="named", bash_command="echo 1", map_index_template="{{ ds }}")
        BashOperator(task_id="plain", bash_command="echo 1")

    with DAG("d") as dag:
        group.expand(x=[1])

    assert isinstance(specs(dag)["group.named"].work, PythonWork)
    assert isinstance(specs(dag)["group.plain"].work, BashWork)


def test_lists_are_not_crossed_to_more_instances_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    @task
    def pair(x: int, y: int) -> None: ...

    with DAG("d") as dag:
        pair.expand(x=range(32), y=range(32))
        use.expand(x=range(5000))
        with pytest.raises(InvalidDag, match=r"to 32 x 33 = 1056 instances, and worker\.max_map_length allows 1024"):
            pair.expand(x=range(32), y=range(33))
        monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "1056")
        pair.override(task_id="more").expand(x=range(32), y=range(33))

    assert {"pair", "use", "more"} <= specs(dag).keys()


def test_setups_and_edges_are_as_of_any_task() -> None:
    with DAG("d") as dag:
        begin = make.override(task_id="begin")().as_setup()
        mapped = use.expand(x=[1, 2])
        end = BashOperator.partial(task_id="end").expand(bash_command=["true"]).as_teardown(setups=begin)
        begin >> mapped >> end

    found = specs(dag)

    assert (found["begin"].role, found["end"].role, found["use"].upstream) == ("setup", "teardown", ("begin",))


def test_a_second_task_of_one_function_gets_a_number() -> None:
    with DAG("d") as dag:
        use.expand(x=[1])
        use.expand(x=[2])
        use(3)

    assert dag.task_ids == ["use", "use__1", "use__2"]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda: use.expand(), r"@task 'use': expand\(\) was given nothing"),
        (lambda: use.expand(x="text"), r"expand\(x=…\) was given a str; wanted a list, a dict, or a task's output"),
        (lambda: use.expand(x=5), r"expand\(x=…\) was given a int"),
        (lambda: use.expand(x={1, 2}), r"expand\(x=…\) was given a set"),
        (lambda: use.expand(z=[1]), "missing a required argument: 'x'"),
        (lambda: use.partial(x=1).expand(x=[1]), r"argument 'x' is in partial\(\) and in expand\(\); give it once"),
        (lambda: use.expand_kwargs(5), r"expand_kwargs\(\) was given a int; wanted a list of dicts"),
        (lambda: use.expand_kwargs([1]), r"expand_kwargs\(\) was given a list with a int; wanted dicts"),
        (lambda: use.expand(x=make()["key"]), "no task can be mapped over key 'key' of task 'make'"),
        (lambda: make().map(use), r".map\(\) was given .*; wanted a plain function of one item, not a task"),
        (lambda: make().zip(*cast(Any, [[1]])), r".zip\(\) was given \[1\]; wanted outputs of tasks"),
        (lambda: BashOperator.partial(bash_command="x"), "missing argument 'task_id'"),
        (lambda: BashOperator.partial(task_id="b", bash_comand="x"), "did you mean 'bash_command'"),
        (
            lambda: BashOperator.partial(task_id="b").expand(bash_comand=["x"]),
            r"BashOperator.partial\(\) 'b': unknown keyword 'bash_comand'; did you mean 'bash_command'",
        ),
        (lambda: BashOperator.partial(task_id="b").expand(pool=["x"]), r"'pool' is of the task as a whole"),
        (lambda: BashOperator.partial(task_id="b") >> make(), r"begins with partial\(\) and ends with expand"),
    ],
)
def test_what_cannot_be_mapped_is_refused_where_it_is_written(write: Any, message: str) -> None:
    with DAG("d") as dag:
        with pytest.raises(InvalidDag, match=message):
            write()
            serialize(dag, "d.py")


@task_group
def group(x: Any) -> None:
    use(x)


@task_group
def outer(x: Any) -> None:
    use(x)
    group.expand(x=[1])


@task_group
def mapping(x: Any) -> None:
    use.expand(x=[x])


def test_the_tasks_of_a_mapped_group_have_its_length_and_its_first_ones_wait_for_what_it_is_over() -> None:
    @task_group
    def line(x: Any) -> None:
        use.override(task_id="last")(use.override(task_id="first")(x))

    with DAG("d") as dag:
        line.expand(x=make())

    found = specs(dag)

    assert found["line.first"].expansion == found["line.last"].expansion == Expansion(length=OF_MAKE, group="line")
    assert (found["line.first"].upstream, found["line.last"].upstream) == (("make",), ("line.first",))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda: group.expand(), r"@task_group 'group': expand\(\) was given nothing"),
        (lambda: group.expand(y=[1]), "missing a required argument: 'x'"),
        (lambda: group.partial(x=1).expand(x=[1]), r"argument 'x' is in partial\(\) and in expand\(\)"),
        (lambda: outer.expand(x=[1]), "task group 'outer.group' is expanded within mapped task group 'outer'"),
        (lambda: mapping.expand(x=[1]), "task 'mapping.use' is expanded within mapped task group 'mapping'"),
    ],
)
def test_what_cannot_be_a_mapped_group_is_refused(write: Any, message: str) -> None:
    with DAG("d"), pytest.raises(InvalidDag, match=message):
        write()


def test_a_python_operator_is_mapped_over_its_arguments() -> None:
    with DAG("d") as dag:
        PythonOperator.partial(task_id="p", python_callable=print).expand(op_args=[[1], [2]])

    assert specs(dag)["p"].work == PythonWork(file="d.py", callable="print")
