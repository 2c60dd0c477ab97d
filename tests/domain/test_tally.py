"""Tallies counted anew, over mapped tasks and mapped groups; what is told counts where it should."""

from flowd.domain.graph import Graph
from flowd.domain.ids import UNMAPPED, InstanceKey, TaskId
from flowd.domain.map_length import Expansion, LiteralLength
from flowd.domain.run_plan import Growth, News, Standing, downstream_of, step
from flowd.domain.states import TaskState
from flowd.domain.tally import Place, Tally, is_fit, recount
from flowd.domain.task_events import Scheduled
from flowd.domain.task_instance import TaskInstance
from tests.support.specs import a_graph, a_task, an_instance

S = TaskState
MAPPED = Expansion(length=LiteralLength(2))
IN_GROUP = Expansion(length=LiteralLength(2), group="g")


def place(task_id: str, map_index: int = UNMAPPED) -> Place:
    return (TaskId(task_id), map_index)


def instances(*found: tuple[str, int, TaskState]) -> list[TaskInstance]:
    return [
        an_instance(state, task_id=task_id, map_index=index, key=InstanceKey(key))
        for key, (task_id, index, state) in enumerate(found)
    ]


def grouped() -> Graph:
    return a_graph(
        a_task("before"),
        a_task("g.a", after=["before"], expansion=IN_GROUP),
        a_task("g.b", after=["g.a"], expansion=IN_GROUP),
        a_task("after", after=["g.b"]),
    )


def test_whatever_waits_for_a_mapped_task_waits_for_all_of_it() -> None:
    graph = a_graph(a_task("m", expansion=MAPPED), a_task("end", after=["m"]))

    tallies = recount(graph, instances(("m", 0, S.SUCCESS), ("m", 1, S.NONE), ("end", UNMAPPED, S.NONE)))

    assert tallies == {place("m"): Tally(), place("end"): Tally(success=1, extra=1)}


def test_within_a_mapped_group_each_map_index_waits_for_its_own() -> None:
    found = instances(
        ("before", UNMAPPED, S.SUCCESS),
        ("g.a", 0, S.SUCCESS),
        ("g.a", 1, S.FAILED),
        ("g.b", 0, S.SKIPPED),
        ("g.b", 1, S.NONE),
        ("after", UNMAPPED, S.NONE),
    )

    tallies = recount(grouped(), found)

    assert (tallies[place("g.b", 0)], tallies[place("g.b", 1)]) == (Tally(success=1), Tally(failed=1))
    assert tallies[place("after")] == Tally(skipped=1, extra=1)


def test_an_end_in_a_mapped_group_is_told_to_its_own_map_index_and_to_all_outside() -> None:
    graph = grouped()
    told = News(task_id=TaskId("g.a"), outcome=S.SUCCESS, map_index=1)
    standings = {at: Standing(place=at, state=S.NONE) for at in (place("g.b", 0), place("g.b", 1))}

    assert downstream_of(graph, [told]).places == [place("g.b", 1)]
    assert downstream_of(graph, [News(task_id=TaskId("before"), outcome=S.SUCCESS)]).tasks == ["g.a"]
    assert step(graph, [told], standings).events == {place("g.b", 1): Scheduled()}


def test_a_growth_is_counted_before_the_ends_that_come_with_it() -> None:
    graph = a_graph(a_task("m", expansion=MAPPED), a_task("end", after=["m"]))
    news = [News(task_id=TaskId("m"), outcome=S.SUCCESS, map_index=index) for index in (0, 1)]
    standings = {place("end"): Standing(place=place("end"), state=S.NONE)}

    first = step(graph, news[:1], standings, growths=[Growth(task_id=TaskId("m"), by=1)])
    both = step(graph, news, standings, growths=[Growth(task_id=TaskId("m"), by=1)])

    assert (first.tallies, first.events) == ({place("end"): Tally(success=1, extra=1)}, {})
    assert both.events == {place("end"): Scheduled()}


def test_an_expanded_task_that_was_decided_is_not_decided_again_by_every_further_end() -> None:
    graph = a_graph(a_task("a"), a_task("b"), a_task("m", after=["a", "b"], trigger_rule="one_done", expansion=MAPPED))
    told = [News(task_id=TaskId("b"), outcome=S.SUCCESS)]
    decided = Standing(place=place("m"), state=S.NONE, tally=Tally(success=1), is_expanded=True)

    assert step(graph, told, {place("m"): decided}).events == {}
    assert step(graph, told, {place("m"): decided}, revisit=[place("m")]).events == {place("m"): Scheduled()}


def test_an_instance_of_another_version_of_the_dag_fits_only_where_it_is_mapped_alike() -> None:
    graph = a_graph(a_task("m", expansion=MAPPED), a_task("plain"))
    found = instances(("m", UNMAPPED, S.NONE), ("m", 1, S.NONE), ("plain", 1, S.NONE), ("gone", UNMAPPED, S.NONE))

    assert [is_fit(graph, one) for one in found] == [True, True, False, False]
