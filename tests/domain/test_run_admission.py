"""Admission of runs: limits hold in every lane, none is left idle, and each goes in its order."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.ids import BackfillKey, DagId, RunKey
from flowd.domain.run_admission import Lane, WaitingRun, admit

ETL = Lane(DagId("etl"))
REPLAY = Lane(DagId("etl"), BackfillKey(1))


def waiting(key: int, lane: Lane = ETL, limit: int = 1, ordinal: int = 0) -> WaitingRun:
    return WaitingRun(RunKey(key), lane, limit, ordinal)


@pytest.mark.parametrize(
    ("queued", "running", "admitted"),
    [
        ([], {}, []),
        ([waiting(2), waiting(1)], {}, [1]),
        ([waiting(1)], {ETL: 1}, []),
        ([waiting(1), waiting(2, REPLAY)], {ETL: 1}, [2]),
        ([waiting(1), waiting(2, REPLAY)], {REPLAY: 1}, [1]),
        ([waiting(1, REPLAY, 0)], {}, []),
        ([waiting(1, REPLAY, 2, 9), waiting(7, REPLAY, 2, 3), waiting(8, REPLAY, 2, 4)], {}, [7, 8]),
        ([waiting(5, REPLAY, 3, 1)], {REPLAY: 4}, []),
    ],
    ids=[
        "nothing", "the oldest first", "full", "a backfill has a limit of its own", "and the DAG its own beside it",
        "held", "a backfill goes by ordinals", "over its limit since it was lowered",
    ],
)  # fmt: skip
def test_what_may_start(queued: list[WaitingRun], running: dict[Lane, int], admitted: list[int]) -> None:
    assert admit(queued, running) == admitted


lanes = st.builds(
    Lane, st.sampled_from("ab").map(DagId), st.none() | st.sampled_from([1, 2]).map(BackfillKey)
)  # fmt: skip


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[WaitingRun], dict[Lane, int]]:
    limits = draw(st.dictionaries(lanes, st.integers(0, 4), min_size=1))
    running = {lane: draw(st.integers(0, 4)) for lane in limits}
    keys = draw(st.lists(st.integers(1, 99), unique=True, max_size=15))
    ordinals = st.integers(1, 9)
    queued: list[WaitingRun] = []
    for key in keys:
        lane = draw(st.sampled_from(sorted(limits, key=str)))
        queued.append(waiting(key, lane, limits[lane], 0 if lane.backfill is None else draw(ordinals)))
    return queued, running


@given(situations())
def test_limits_hold_no_lane_with_room_is_idle_and_each_goes_in_order(
    situation: tuple[list[WaitingRun], dict[Lane, int]],
) -> None:
    queued, running = situation
    by_key = {run.key: run for run in queued}

    admitted = admit(queued, running)

    started = Counter(by_key[key].lane for key in admitted)
    assert len(set(admitted)) == len(admitted)
    for run in queued:
        taken = running[run.lane] + started[run.lane]
        assert started[run.lane] == 0 or taken <= run.limit
        if run.key not in admitted:
            assert taken >= run.limit
            before = [by_key[key] for key in admitted if by_key[key].lane == run.lane]
            assert all((one.ordinal, one.key) < (run.ordinal, run.key) for one in before)


@given(situations())
def test_what_was_admitted_leaves_nothing_to_admit(situation: tuple[list[WaitingRun], dict[Lane, int]]) -> None:
    queued, running = situation
    admitted = admit(queued, running)
    after = Counter(running) + Counter(run.lane for run in queued if run.key in admitted)

    assert admit([run for run in queued if run.key not in admitted], after) == []
