"""Admission: limits hold, no slot is idle, no DAG starves another, and every refusal says why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.admission import Candidate, Limit, Occupancy, Refusal, admit, why_not
from tests.support.specs import NOW, a_candidate

POOL_SIZES = {"default_pool": 8}


@dataclass(frozen=True, slots=True)
class Situation:
    """What asks for slots, what holds some, and how many there are."""

    candidates: list[Candidate]
    taken: list[Candidate]
    pool_sizes: dict[str, int]

    @property
    def occupancy(self) -> Occupancy:
        return an_occupancy(self.taken, self.pool_sizes)


def an_occupancy(taken: Sequence[Candidate] = (), pool_sizes: Mapping[str, int] = POOL_SIZES) -> Occupancy:
    occupancy = Occupancy(pool_sizes=pool_sizes)
    for one in taken:
        occupancy.add(one)
    return occupancy


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Three pools, three DAGs of three runs and tasks each; some pools do not exist, some are overfull."""
    few = st.none() | st.integers(0, 3)

    def instance(key: int) -> Candidate:
        dag = draw(st.integers(0, 2))
        return a_candidate(
            key,
            dag=f"dag{dag}",
            task=f"task{draw(st.integers(0, 2))}",
            run=10 * dag + draw(st.integers(0, 2)),
            pool=draw(st.sampled_from(["default_pool", "small", "missing"])),
            pool_slots=draw(st.integers(1, 3)),
            priority=draw(st.integers(0, 2)),
            scheduled_at=NOW + timedelta(seconds=draw(st.integers(0, 2))),
            max_active_tasks=draw(st.integers(0, 6)),
            max_active_tis_per_dag=draw(few),
            max_active_tis_per_dagrun=draw(few),
        )

    count, held = draw(st.integers(0, 15)), draw(st.integers(0, 4))
    return Situation(
        candidates=[instance(key) for key in range(count)],
        taken=[instance(1000 + key) for key in range(held)],
        pool_sizes={"default_pool": draw(st.integers(-1, 12)), "small": draw(st.integers(0, 3))},
    )


def fits(candidate: Candidate, taken: Sequence[Candidate], pool_sizes: Mapping[str, int]) -> bool:
    """The limits once more, counted from scratch."""
    size = pool_sizes.get(candidate.pool)
    same_run = [one for one in taken if one.run == candidate.run]
    same_task = [one for one in taken if (one.dag_id, one.task_id) == (candidate.dag_id, candidate.task_id)]
    same_both = [one for one in same_task if one.run == candidate.run]
    counted = [
        (len(same_run), candidate.max_active_tasks or None),
        (len(same_task), candidate.max_active_tis_per_dag),
        (len(same_both), candidate.max_active_tis_per_dagrun),
    ]
    has_slots = size is not None and (size < 0 or slots(taken, candidate.pool) + candidate.pool_slots <= size)
    return has_slots and all(most is None or used < most for used, most in counted)


def slots(taken: Sequence[Candidate], pool: str, dag: str | None = None) -> int:
    return sum(one.pool_slots for one in taken if one.pool == pool and dag in (None, one.dag_id))


def preference(one: Candidate) -> tuple[object, ...]:
    return (-one.priority, one.scheduled_at, one.key)


@given(situations())
def test_limits_hold_and_nothing_that_fits_is_left_out(situation: Situation) -> None:
    verdicts = admit(situation.candidates, situation.occupancy)

    taken = list(situation.taken)
    for admitted in verdicts.admitted:
        assert fits(admitted, taken, situation.pool_sizes)
        taken.append(admitted)
    refused = [one for one in situation.candidates if one not in verdicts.admitted]
    assert {one.key for one in refused} == set(verdicts.refused)
    assert not [one for one in refused if fits(one, taken, situation.pool_sizes)]
    assert all(str(refusal) for refusal in verdicts.refused.values())


@given(situations())
def test_each_slot_goes_to_the_dag_that_holds_the_fewest_and_in_it_to_the_preferred(situation: Situation) -> None:
    verdicts = admit(situation.candidates, situation.occupancy)

    taken, left = list(situation.taken), list(situation.candidates)
    for admitted in verdicts.admitted:
        rivals = [one for one in left if one.pool == admitted.pool and fits(one, taken, situation.pool_sizes)]
        best = min(rivals, key=lambda one: (slots(taken, one.pool, one.dag_id), preference(one)))
        assert slots(taken, admitted.pool, admitted.dag_id) == slots(taken, best.pool, best.dag_id)
        assert admitted == min((one for one in rivals if one.dag_id == admitted.dag_id), key=preference)
        taken.append(admitted)
        left.remove(admitted)


@given(situations(), st.randoms(use_true_random=False))
def test_the_order_in_which_candidates_are_given_does_not_matter(situation: Situation, order: Random) -> None:
    shuffled = order.sample(situation.candidates, len(situation.candidates))

    assert admit(shuffled, situation.occupancy) == admit(situation.candidates, situation.occupancy)


@given(situations())
def test_what_was_admitted_is_counted(situation: Situation) -> None:
    occupancy = situation.occupancy

    verdicts = admit(situation.candidates, occupancy)

    assert occupancy == an_occupancy([*situation.taken, *verdicts.admitted], situation.pool_sizes)


def test_a_huge_dag_does_not_starve_a_small_one() -> None:
    huge = [a_candidate(key, dag="huge", run=1, priority=9) for key in range(100)]
    small = [a_candidate(key, dag="small", run=2) for key in range(100, 103)]

    verdicts = admit([*huge, *small], an_occupancy())

    assert [one.dag_id for one in verdicts.admitted] == [*["huge", "small"] * 3, "huge", "huge"]


def test_a_freed_slot_goes_to_the_dag_that_holds_fewer() -> None:
    taken = [a_candidate(key, dag="huge", run=1) for key in range(7)]
    waiting = [a_candidate(10, dag="huge", run=1, priority=99), a_candidate(11, dag="small", run=2)]

    assert [one.key for one in admit(waiting, an_occupancy(taken)).admitted] == [11]


def test_instances_that_are_refused_do_not_cost_their_dag_its_turn() -> None:
    blocked = [a_candidate(key, dag="a", task="one", run=1, priority=9, max_active_tis_per_dag=0) for key in range(50)]
    free = a_candidate(50, dag="a", task="two", run=1)
    other = [a_candidate(key, dag="b", run=2) for key in range(60, 80)]

    admitted = admit([*blocked, free, *other], an_occupancy()).admitted

    assert [one.key for one in admitted[:2]] == [50, 60]


def test_within_a_dag_priority_decides_then_who_waited_longest() -> None:
    late, early = NOW + timedelta(seconds=1), NOW
    candidates = [
        a_candidate(1, priority=1, scheduled_at=early),
        a_candidate(2, priority=5, scheduled_at=late),
        a_candidate(3, priority=5, scheduled_at=early),
    ]

    assert [one.key for one in admit(candidates, an_occupancy()).admitted] == [3, 2, 1]


def test_a_small_instance_takes_the_slot_that_a_large_one_cannot_use() -> None:
    candidates = [a_candidate(1, pool_slots=5, priority=9), a_candidate(2, pool_slots=5), a_candidate(3, pool_slots=3)]

    verdicts = admit(candidates, an_occupancy())

    assert [one.key for one in verdicts.admitted] == [1, 3]


def test_a_negative_pool_is_unlimited() -> None:
    candidates = [a_candidate(key, pool_slots=100) for key in range(50)]

    assert not admit(candidates, an_occupancy(pool_sizes={"default_pool": -1})).refused


@pytest.mark.parametrize(
    ("candidate", "taken", "limit", "text"),
    [
        (
            a_candidate(1, pool="gpu"),
            [],
            Limit.NO_SUCH_POOL,
            "pool 'gpu' does not exist; create it with: flowd pools set gpu SLOTS",
        ),
        (
            a_candidate(1, pool_slots=9),
            [],
            Limit.POOL_TOO_SMALL,
            "it asks for 9 slots of pool 'default_pool', which has 8 in all",
        ),
        (
            a_candidate(1, pool_slots=3),
            [a_candidate(2, pool_slots=6)],
            Limit.POOL_FULL,
            "pool 'default_pool' is full: 6 of 8 slots are taken",
        ),
        (
            a_candidate(1, max_active_tasks=2),
            [a_candidate(2), a_candidate(3, task="other"), a_candidate(4, run=2)],
            Limit.MAX_ACTIVE_TASKS,
            "its run has 2 tasks queued or running, and max_active_tasks is 2",
        ),
        (
            a_candidate(1, max_active_tis_per_dag=2),
            [a_candidate(2), a_candidate(3, run=2), a_candidate(4, task="other")],
            Limit.MAX_ACTIVE_TIS_PER_DAG,
            "2 instances of etl.load are queued or running; max_active_tis_per_dag is 2",
        ),
        (
            a_candidate(1, max_active_tis_per_dagrun=1),
            [a_candidate(2), a_candidate(3, run=2)],
            Limit.MAX_ACTIVE_TIS_PER_DAGRUN,
            "1 instances of etl.load in this run are queued or running; max_active_tis_per_dagrun is 1",
        ),
    ],
)
def test_a_refusal_names_the_limit(candidate: Candidate, taken: list[Candidate], limit: Limit, text: str) -> None:
    refusal = why_not(candidate, an_occupancy(taken))

    assert refusal is not None
    assert (refusal.limit, str(refusal)) == (limit, text)


def test_nothing_is_admitted_to_a_paused_queue_and_it_holds_up_no_other() -> None:
    occupancy = Occupancy(pool_sizes={"default_pool": 1}, paused_queues={"gpu"})

    verdicts = admit([a_candidate(1, queue="gpu", priority=9), a_candidate(2)], occupancy)

    assert [one.key for one in verdicts.admitted] == [2]
    assert str(next(iter(verdicts.refused.values()))) == (
        "queue 'gpu' is paused; nothing is queued in it until it is resumed"
    )


def test_every_limit_has_its_own_text() -> None:
    texts = {str(Refusal(limit=limit, name="it", used=1, size=2)) for limit in Limit}

    assert len(texts) == len(Limit)


def test_one_row_may_stand_for_many_instances() -> None:
    occupancy = Occupancy(pool_sizes=POOL_SIZES)
    occupancy.add(a_candidate(1, pool_slots=2), tasks=3)

    assert occupancy == an_occupancy([a_candidate(key, pool_slots=2) for key in range(3)])
