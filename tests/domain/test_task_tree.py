"""TaskTree: groups in the order in which their tasks may run, folded and unfolded."""

from flowd.domain.graph import graph_of
from flowd.domain.loudest_state import LOUDNESS, loudest_state
from flowd.domain.states import TaskState
from flowd.domain.task_tree import GroupNode, groups_of, task_tree, unfolded
from tests.support.specs import a_dag, a_task

GROUPS = {
    "id": None,
    "children": [
        "end",
        {"id": "work", "label": "Work", "children": [{"id": "work.deep", "children": ["work.deep.b"]}, "work.a"]},
        {"id": "empty", "children": []},
        "gone",
    ],
}
GROUPED = graph_of(
    a_dag(
        a_task("begin"),
        a_task("work.a", after=["begin"]),
        a_task("work.deep.b", after=["work.a"], presentation={"task_display_name": "The deep one"}),
        a_task("end", after=["work.deep.b"]),
        presentation={"groups": GROUPS},
    )
)


def lines(open_groups: set[str] | None) -> list[tuple[int, str]]:
    return [(row.depth, row.node.label) for row in unfolded(task_tree(GROUPED), open_groups)]


def test_groups_and_tasks_come_in_the_order_in_which_they_may_run() -> None:
    assert lines(None) == [
        (0, "begin"),
        (0, "Work"),
        (1, "a"),
        (1, "work.deep"),
        (2, "The deep one"),
        (0, "end"),
    ]


def test_what_is_in_a_folded_group_is_not_shown_however_open_its_own_groups_are() -> None:
    assert lines({"work.deep"}) == [(0, "begin"), (0, "Work"), (0, "end")]
    assert lines({"work"}) == [(0, "begin"), (0, "Work"), (1, "a"), (1, "work.deep"), (0, "end")]


def test_a_folded_group_stands_for_all_its_tasks() -> None:
    (work,) = [row for row in unfolded(task_tree(GROUPED), set()) if isinstance(row.node, GroupNode)]

    assert (work.tasks, work.is_open) == (("work.a", "work.deep.b"), False)


def test_a_task_that_no_group_names_is_not_lost_and_an_empty_group_is_not_shown() -> None:
    tree = task_tree(GROUPED)

    assert set(tree.tasks) == set(GROUPED.tasks)
    assert [group.group_id for group in groups_of(tree)] == ["work", "work.deep"]


def test_a_dag_without_groups_is_its_tasks_in_order() -> None:
    tree = task_tree(graph_of(a_dag(a_task("a"), a_task("b", after=["a"]))))

    assert tree.tasks == ("a", "b") and list(groups_of(tree)) == []


def test_every_state_has_its_loudness() -> None:
    assert sorted(LOUDNESS) == sorted(TaskState)


def test_the_loudest_state_is_that_of_which_there_is_an_instance() -> None:
    assert loudest_state({"success": 4, "failed": 1, "running": 2}) is TaskState.FAILED
    assert loudest_state({"success": 4, "failed": 0}) is TaskState.SUCCESS
    assert loudest_state({}) is None
