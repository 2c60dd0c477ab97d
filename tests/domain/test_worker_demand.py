"""Demand for workers: all tasks of a queue have room, and none is wanted that would have nothing to do."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.worker_demand import QueueLoad, demand_of, with_triggers

PATIENCE = timedelta(minutes=1)
NOW, LATE = timedelta(0), timedelta(minutes=2)


@pytest.mark.parametrize(
    ("load", "wanted", "why"),
    [
        (QueueLoad(workers=3, free_slots=12, slots_per_worker=4), 0, "nothing is queued or running"),
        (QueueLoad(queued=1, oldest_queued=NOW, slots_per_worker=4), 1, "1 task, 4 at a time"),
        (QueueLoad(queued=4, running=4, oldest_queued=NOW, workers=1, slots_per_worker=4), 2, "8 tasks, 4 at a time"),
        (QueueLoad(queued=5, running=4, oldest_queued=LATE, workers=1, slots_per_worker=4), 3, "9 tasks, 4 at a time"),
        (QueueLoad(running=1, workers=3, free_slots=11, slots_per_worker=4), 1, "1 task, 4 at a time"),
        (QueueLoad(queued=1, oldest_queued=NOW, workers=2, slots_per_worker=4), 1, "1 task, 4 at a time"),
        (QueueLoad(queued=1, oldest_queued=LATE, workers=2, slots_per_worker=4), 3, "a task has waited 120 s"),
        (QueueLoad(queued=1, oldest_queued=LATE, workers=2, free_slots=1, slots_per_worker=4), 1, "1 task,"),
        (QueueLoad(queued=9, oldest_queued=LATE, workers=0, slots_per_worker=4), 3, "9 tasks, 4 at a time"),
    ],
    ids=[
        "idle workers are not wanted", "the first", "as many as fit", "one more for the odd one", "some are idle",
        "not yet late", "held up by other queues", "late though there is room", "nobody is there yet",
    ],
)  # fmt: skip
def test_what_a_queue_is_worth(load: QueueLoad, wanted: int, why: str) -> None:
    demand = demand_of(load, PATIENCE)

    assert demand.wanted_workers == wanted
    assert why in demand.reason


@given(
    st.builds(
        QueueLoad,
        queued=st.integers(1, 500),
        running=st.integers(0, 500),
        oldest_queued=st.sampled_from([NOW, LATE]),
        workers=st.integers(0, 50),
        free_slots=st.integers(0, 50),
        slots_per_worker=st.integers(1, 64),
    )
)
def test_every_task_has_room_and_the_last_worker_has_something_to_do(load: QueueLoad) -> None:
    wanted = demand_of(load, PATIENCE).wanted_workers

    assert wanted * load.slots_per_worker >= load.queued + load.running
    is_needed = (wanted - 1) * load.slots_per_worker < load.queued + load.running
    is_held_up = load.oldest_queued == LATE and not load.free_slots
    assert is_needed or (is_held_up and (wanted - 1 - load.workers) * load.slots_per_worker < load.queued)


def test_triggers_want_a_worker_where_nothing_else_does() -> None:
    idle = {"default": demand_of(QueueLoad(), PATIENCE), "gpu": demand_of(QueueLoad(), PATIENCE)}
    busy = {**idle, "gpu": demand_of(QueueLoad(running=1), PATIENCE)}

    assert [one.wanted_workers for one in with_triggers(idle, "default").values()] == [1, 0]
    assert with_triggers(busy, "default") == busy
