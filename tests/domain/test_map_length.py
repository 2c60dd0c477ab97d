"""Map lengths: how many instances there are to be, and how an event spreads over them."""

import pytest

from flowd.domain.ids import TaskId
from flowd.domain.map_length import (
    ChainedLength,
    CrossedLength,
    Expansion,
    LiteralLength,
    MapLength,
    ResultLength,
    ZippedLength,
    evaluated,
    expansion_from_json,
    expansion_to_json,
    sources_of,
)
from flowd.domain.spread import Result, Spread, spread
from flowd.domain.states import TaskState
from flowd.domain.task_events import Decided, Scheduled

A, B = TaskId("a"), TaskId("b")
OF_A, OF_B, THREE = ResultLength(A), ResultLength(B), LiteralLength(3)
SKIPPED, REMOVED, FAILED = (
    Decided(state) for state in (TaskState.SKIPPED, TaskState.REMOVED, TaskState.UPSTREAM_FAILED)
)
GO = Scheduled()

LENGTHS: list[tuple[MapLength, int | None]] = [
    (THREE, 3),
    (OF_A, 2),
    (OF_B, None),
    (CrossedLength((THREE, OF_A)), 6),
    (CrossedLength((THREE, OF_B)), None),
    (ChainedLength((THREE, OF_A, OF_A)), 7),
    (ZippedLength((THREE, OF_A)), 2),
    (ZippedLength((THREE, OF_A), is_longest=True), 3),
    (CrossedLength((ZippedLength((THREE, OF_A)), ChainedLength((OF_A, OF_A)))), 8),
]


@pytest.mark.parametrize(("length", "expected"), LENGTHS)
def test_a_length_is_what_its_parts_come_to(length: MapLength, expected: int | None) -> None:
    assert evaluated(length, {A: 2, B: None}) == expected


@pytest.mark.parametrize("length", [length for length, _ in LENGTHS])
@pytest.mark.parametrize("group", [None, "g"])
def test_an_expansion_survives_json(length: MapLength, group: str | None) -> None:
    expansion = Expansion(length=length, group=group)

    assert expansion_from_json(expansion_to_json(expansion)) == expansion


def test_an_unknown_length_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown map length"):
        expansion_from_json({"length": {"guessed": 3}})


def test_a_length_depends_on_the_tasks_that_are_anywhere_in_it() -> None:
    assert sources_of(CrossedLength((THREE, ZippedLength((OF_A, ChainedLength((OF_B, OF_A))))))) == {A, B}
    assert sources_of(THREE) == frozenset()


def spreading(
    length: MapLength, event: Scheduled | Decided, result: Result, *undecided: int, existing: int = 0
) -> Spread | None:
    return spread(Expansion(length=length), event, undecided=undecided or (-1,), existing=existing, results={A: result})


ENDED, OPEN = Result(is_ended=True, length=2), Result(is_ended=False)


@pytest.mark.parametrize(
    ("length", "event", "result", "expected"),
    [
        (OF_A, GO, ENDED, Spread(events={-1: GO}, size=2, made=GO)),
        (OF_A, GO, OPEN, None),
        (OF_A, GO, Result(is_ended=True), Spread(events={-1: FAILED}, size=0)),
        (OF_A, GO, Result(is_ended=True, length=0), Spread(events={-1: SKIPPED}, size=0)),
        (OF_A, SKIPPED, OPEN, Spread(events={-1: SKIPPED}, size=0)),
        (THREE, SKIPPED, OPEN, Spread(events={-1: SKIPPED}, size=3, made=SKIPPED)),
        (THREE, GO, OPEN, Spread(events={-1: GO}, size=3, made=GO)),
        (LiteralLength(0), FAILED, OPEN, Spread(events={-1: FAILED}, size=0)),
    ],
)
def test_an_unexpanded_task(
    length: MapLength, event: Scheduled | Decided, result: Result, expected: Spread | None
) -> None:
    assert spreading(length, event, result) == expected


@pytest.mark.parametrize(
    ("event", "result", "expected"),
    [
        (GO, ENDED, Spread(events={1: GO, 3: REMOVED}, size=4, made=GO)),
        (GO, Result(is_ended=True, length=6), Spread(events={1: GO, 3: GO}, size=6, made=GO)),
        (GO, Result(is_ended=True), Spread(events={1: FAILED, 3: FAILED}, size=4)),
        (SKIPPED, OPEN, Spread(events={1: SKIPPED, 3: SKIPPED}, size=4)),
        (GO, OPEN, None),
    ],
)
def test_an_expanded_task_of_which_some_run_again(
    event: Scheduled | Decided, result: Result, expected: Spread | None
) -> None:
    assert spreading(OF_A, event, result, 1, 3, existing=4) == expected
