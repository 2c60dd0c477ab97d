"""Mapped tasks as their authors write them, run to their end in this process."""

from datetime import UTC, datetime
from typing import Any

import pytest

from flowd import DAG, BashOperator, task, task_group
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.exceptions import AirflowException, AirflowSkipException
from flowd.sdk.lazy_sequence import LazySequence

DATE = datetime(2026, 1, 31, tzinfo=UTC)


class Collected(BaseOperator):
    """Keeps what its instances were given, by task and map index."""

    template_fields = ("text",)
    seen: dict[tuple[str, int], Any] = {}  # noqa: RUF012

    def __init__(self, *, text: Any, more: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text, self.more = text, more

    def execute(self, context: Any) -> Any:
        self.seen[self.task_id, context["ti"].map_index] = (self.text, self.more)
        return self.text


@pytest.fixture(autouse=True)
def seen() -> dict[tuple[str, int], Any]:
    Collected.seen.clear()
    return Collected.seen


def values(task_id: str) -> list[Any]:
    """What the instances of a task were given, by map index."""
    return [given for (name, _), given in sorted(Collected.seen.items()) if name == task_id]


def states(run: Any) -> dict[tuple[str, int], str]:
    return {(one.task_id, one.map_index): one.state.value for one in run.tasks}


@task
def make(items: Any) -> Any:
    return items


@task
def double(x: int) -> int:
    return 2 * x


@task
def keep(found: Any, ti: Any = None) -> None:
    Collected.seen[ti.task_id, ti.map_index] = list(found) if isinstance(found, LazySequence) else found


def test_expand_gives_each_instance_its_item() -> None:
    with DAG("d", start_date=DATE) as dag:
        Collected.partial(task_id="literal", more="same").expand(text=["a", "b"])
        Collected.partial(task_id="pairs").expand(text={"k": 1, "l": 2})
        Collected.partial(task_id="result").expand(text=make([1, 2, 3]))
        Collected.partial(task_id="of_dict").expand(text=make.override(task_id="dict")({"k": 1}))
        Collected.partial(task_id="of_tuple").expand(text=make.override(task_id="tuple")((7, 8)))

    run = dag.test()

    assert run.state == "success"
    assert values("literal") == [("a", "same"), ("b", "same")]
    assert [text for text, _ in values("pairs")] == [("k", 1), ("l", 2)]
    assert [text for text, _ in values("result")] == [1, 2, 3]
    assert [text for text, _ in values("of_dict")] == [("k", 1)]
    assert [text for text, _ in values("of_tuple")] == [7, 8]


def test_several_arguments_are_crossed_and_the_last_changes_fastest() -> None:
    with DAG("d", start_date=DATE) as dag:
        Collected.partial(task_id="t").expand(text=["a", "b"], more=make([1, 2, 3]))

    dag.test()

    assert values("t") == [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2), ("b", 3)]


def test_expand_kwargs_takes_dicts_from_the_file_and_from_a_task() -> None:
    with DAG("d", start_date=DATE) as dag:
        Collected.partial(task_id="literal", more=0).expand_kwargs([{"text": "a"}, {"text": make("b")}])
        Collected.partial(task_id="result").expand_kwargs(make.override(task_id="m")([{"text": 1, "more": 2}]))
        keep.override(task_id="function").expand_kwargs([{"found": 1}, {"found": 2}])

    dag.test()

    assert values("literal") == [("a", 0), ("b", 0)]
    assert values("result") == [(1, 2)]
    assert values("function") == [1, 2]


def test_the_results_of_a_mapped_task_are_one_list_and_can_be_mapped_over() -> None:
    with DAG("d", start_date=DATE) as dag:
        doubled = double.expand(x=[1, 2, 3])
        keep.override(task_id="all").expand(found=[doubled.map(lambda value: value + 1)])
        keep.override(task_id="again").expand(found=double.override(task_id="more").expand(x=doubled))

        @task
        def total(numbers: Any) -> int:
            assert (len(numbers), numbers[0], numbers[-1], numbers[1:]) == (3, 2, 6, [4, 6])
            return sum(numbers)

        keep.override(task_id="sum")(total(doubled))

    assert dag.test().state == "success"
    assert values("all") == [[3, 5, 7]]
    assert values("again") == [4, 8, 12]
    assert values("sum") == [12]


def test_items_are_mapped_zipped_concatenated_and_filtered() -> None:
    def odd(value: int) -> int:
        if value % 2 == 0:
            raise AirflowSkipException(f"{value} is even")
        return value * 10

    with DAG("d", start_date=DATE) as dag:
        three, two = make.override(task_id="three")([1, 2, 3]), make.override(task_id="two")(["a", "b"])
        keep.override(task_id="odd").expand(found=three.map(odd))
        keep.override(task_id="zipped").expand(found=three.zip(two))
        keep.override(task_id="filled").expand(found=three.zip(two, fillvalue="-"))
        keep.override(task_id="chained").expand(found=three.concat(two, three.map(str)))
        keep.override(task_id="end", trigger_rule="none_failed")(three)

    run = dag.test()

    assert [states(run)["odd", index] for index in range(3)] == ["success", "skipped", "success"]
    assert values("odd") == [10, 30]
    assert values("zipped") == [(1, "a"), (2, "b")]
    assert values("filled") == [(1, "a"), (2, "b"), (3, "-")]
    assert values("chained") == [1, 2, 3, "a", "b", "1", "2", "3"]


def test_what_a_mapped_task_returns_as_none_is_no_item() -> None:
    with DAG("d", start_date=DATE) as dag:
        kept = task(lambda x: x if x > 1 else None).override(task_id="kept").expand(x=[1, 2, 3])
        keep.override(task_id="t").expand(found=kept)

    dag.test()

    assert values("t") == [2, 3]


def test_templates_are_rendered_in_the_file_and_never_in_what_a_task_returned() -> None:
    with DAG("d", start_date=DATE) as dag:
        Collected.partial(task_id="literal", more=1).expand(text=["{{ ds }}"])
        braces = task(lambda: ["{" + "{ ds }" + "}"]).override(task_id="braces")()
        Collected.partial(task_id="result").expand(text=braces)
        keep.override(task_id="function").expand(found=braces)
        BashOperator.partial(task_id="bash").expand(bash_command=["echo {{ ti.map_index }}", "echo b"])

    run = dag.test(logical_date=DATE)

    assert [text for text, _ in values("literal")] == ["2026-01-31"]
    assert values("result") == [("{{ ds }}", None)]
    assert values("function") == ["{{ ds }}"]
    assert run.state == "success"


def test_what_cannot_be_mapped_over_fails_the_task_that_returned_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    with DAG("d", start_date=DATE) as dag:
        for name, value in {"none": None, "text": "abc", "number": 5, "long": [1, 2, 3], "fits": [1, 2]}.items():
            keep.override(task_id=f"{name}_mapped").expand(found=make.override(task_id=name)(value))

    found = states(dag.test())

    for name in ("none", "text", "number", "long"):
        assert (found[name, -1], found[f"{name}_mapped", -1]) == ("failed", "upstream_failed")
    assert (found["fits", -1], found["fits_mapped", 1]) == ("success", "success")


def test_an_item_that_is_no_dict_fails_its_own_instance() -> None:
    with DAG("d", start_date=DATE) as dag:
        keep.expand_kwargs(make([{"found": 1}, "text", {"unknown": 2}, {3: 4}]))

    found = states(dag.test())

    assert [found["keep", index] for index in range(4)] == ["success", "failed", "failed", "failed"]


def test_an_empty_list_skips_the_task_and_what_waits_for_it() -> None:
    with DAG("d", start_date=DATE) as dag:
        keep.override(task_id="end")(double.expand(x=make([])))

    assert states(dag.test()) == {("make", -1): "success", ("double", -1): "skipped", ("end", -1): "skipped"}


def test_default_args_retries_and_callbacks_hold_for_every_instance() -> None:
    tries: list[tuple[int, int]] = []

    @task(retries=1)
    def flaky(x: int, ti: Any = None) -> None:
        tries.append((ti.map_index, ti.try_number))
        if ti.try_number == 1 and x == 2:
            raise AirflowException("once")

    with DAG("d", start_date=DATE, default_args={"more": "default", "retry_delay": 0}) as dag:
        Collected.partial(task_id="t").expand(text=[1, 2])
        flaky.expand(x=[1, 2])

    assert dag.test().state == "success"
    assert values("t") == [(1, "default"), (2, "default")]
    assert sorted(tries) == [(0, 1), (1, 1), (1, 2)]


def test_a_mapped_group_gives_each_item_its_own_line_of_tasks() -> None:
    @task_group
    def line(x: int, by: int) -> Any:
        doubled = double(x)

        @task
        def flaky(value: int) -> int:
            if value == 4:
                raise AirflowException("four")
            return value + by

        added = flaky(doubled)
        keep(added)
        return added

    with DAG("d", start_date=DATE) as dag:
        results = line.partial(by=100).expand(x=make([1, 2, 3]))
        keep.override(task_id="all", trigger_rule="all_done")(results)

    found = states(dag.test())

    assert [found["line.flaky", index] for index in range(3)] == ["success", "failed", "success"]
    assert [found["line.keep", index] for index in range(3)] == ["success", "upstream_failed", "success"]
    assert (values("line.keep"), values("all")) == ([102, 106], [[102, 106]])


def test_a_mapped_group_expands_over_literals_over_dicts_and_over_nothing() -> None:
    @task_group
    def group(x: Any, y: Any = 0) -> None:
        keep.override(task_id="first")(x) >> keep.override(task_id="second")(y)

    with DAG("d", start_date=DATE) as dag:
        group.override(group_id="crossed").expand(x=[1, 2], y=["a", "b"])
        group.override(group_id="kwargs").expand_kwargs([{"x": 1, "y": 2}, {"x": 3, "y": 4}])
        group.override(group_id="empty").expand(x=make([]))

    found = states(dag.test())

    assert (values("crossed.first"), values("crossed.second")) == ([1, 1, 2, 2], ["a", "b", "a", "b"])
    assert (values("kwargs.first"), values("kwargs.second")) == ([1, 3], [2, 4])
    assert (found["empty.first", -1], found["empty.second", -1]) == ("skipped", "skipped")


def test_map_index_template_names_the_instances_of_operators_of_functions_and_of_groups() -> None:
    @task(map_index_template="{{ task.op_kwargs['x'] }}")
    def named(x: str) -> None:
        if x == "south":
            raise AirflowException("failed, and named all the same")

    @task_group
    def line(x: str) -> None:
        keep.override(task_id="inner", map_index_template="{{ ti.map_index }} of {{ task.op_args[0] }}")(x)

    with DAG("d", start_date=DATE) as dag:
        named.expand(x=make(["north", "south"]))
        named.override(task_id="partial").partial().expand(x=["east"])
        Collected.partial(task_id="operator", map_index_template="{{ task.text }}").expand(text=["a", "b"])
        line.expand(x=["p", "q"])
        double.expand(x=[1])

    run = dag.test()

    names = {(one.task_id, one.map_index): one.rendered_map_index for one in run.tasks}
    assert names == {
        ("make", -1): None,
        ("named", 0): "north",
        ("named", 1): "south",
        ("partial", 0): "east",
        ("operator", 0): "a",
        ("operator", 1): "b",
        ("line.inner", 0): "0 of p",
        ("line.inner", 1): "1 of q",
        ("double", 0): "0",
    }
