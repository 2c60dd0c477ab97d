"""The checker finds what is wrong, and nothing where nothing is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.support.checker.answered_triggers import WISH
from tests.support.checker.check import check
from tests.support.checker.evidence import (
    Attempt,
    Backfill,
    Dag,
    Evidence,
    Instance,
    Outcome,
    Request,
    Run,
    Task,
    TaskKey,
    Word,
)
from tests.support.checker.stories import (
    A_TASK,
    IN_TWO_LEGS,
    ONCE_MORE,
    WELL,
    a_history,
    a_run_change,
    an_ended_run,
    an_instance,
    changed,
    evidence_of_one,
    lines_of,
    token_of,
)
from tests.support.checker.violation import Invariant

I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12, I13 = Invariant

FIRST = lines_of("begin", "tick", "end")
SECOND = lines_of("begin", "end", try_number=2, pid=200, begin_ns=100, number=4)


def broken(evidence: Evidence) -> set[Invariant]:
    return {violation.invariant for violation in check(evidence)}


def an_attempt(try_number: int, begin: int, end: int, token: str | None = None) -> Attempt:
    return Attempt(
        try_number=try_number,
        token=token or token_of(try_number),
        worker="worker1",
        cause="failed",
        started_us=begin,
        ended_us=end,
    )


def from_version_6(instance: Instance, **fields: Any) -> Instance:
    for version in range(6, 9):
        instance = changed(instance, version, **fields)
    return replace(instance, try_number=instance.history[-1].try_number)


GOOD: dict[str, Evidence] = {
    "nothing at all": Evidence(),
    "a task that ran well": evidence_of_one(an_instance(*WELL), journal=FIRST),
    "a task that was tried again": evidence_of_one(an_instance(*ONCE_MORE), journal=[*FIRST[:2], *SECOND]),
    "a sensor that was rescheduled": evidence_of_one(
        an_instance(*IN_TWO_LEGS),
        journal=[*FIRST[:2], *lines_of("begin", "end", token=token_of(1, 1), pid=200, begin_ns=100, number=4)],
    ),
    "a deferred task that was triggered, and failed, and was tried again": evidence_of_one(
        an_instance("scheduled", "queued", "claimed", "deferred", "triggered", "queued", "claimed", "retried", *WELL)
    ),
    "a sensor that was cleared while it waited": evidence_of_one(an_instance(*IN_TWO_LEGS[:4], "cleared", *WELL)),
    "a task that was lost": evidence_of_one(
        an_instance("scheduled", "queued", "claimed", "lost", *WELL), journal=[*FIRST[:1], *SECOND]
    ),
    "a task that was cleared after its end": evidence_of_one(an_instance(*WELL, "cleared", *WELL)),
    "a task that was marked while it ran": evidence_of_one(an_instance("scheduled", "queued", "claimed", "marked")),
    "a task that runs, before the time is up": evidence_of_one(
        an_instance("scheduled", "queued", "claimed"), is_time_up=False
    ),
    "a task without a journal": evidence_of_one(an_instance(*WELL), journal=[]),
    "two tries, one after the other": evidence_of_one(
        an_instance(*ONCE_MORE, attempts=[an_attempt(1, 3, 4), an_attempt(2, 7, 8)])
    ),
    "a failure in another system that was cleared in this one": evidence_of_one(
        an_instance("imported", "cleared", *WELL, attempts=[replace(an_attempt(2, 1, 2), token="")])
    ),
}


@pytest.mark.parametrize("evidence", GOOD.values(), ids=GOOD)
def test_where_nothing_is_wrong_nothing_is_found(evidence: Evidence) -> None:
    assert check(evidence) == []


BAD: dict[str, tuple[Evidence, set[Invariant]]] = {
    "a claim of what is held": (
        evidence_of_one(changed(an_instance("scheduled", "queued", "claimed", "claimed"), 4, token="other")),
        {I2, I3, I5, I9},
    ),
    "a row that runs without a claim": (
        evidence_of_one(an_instance("scheduled", "queued", state="running", token="who"), is_time_up=False),
        {I2, I5},
    ),
    "two tries recorded at once": (
        evidence_of_one(an_instance(*ONCE_MORE, attempts=[an_attempt(1, 3, 9), an_attempt(2, 7, 8)])),
        {I2},
    ),
    "a token for two tries": (
        evidence_of_one(changed(changed(an_instance(*ONCE_MORE), 7, token="token1"), 8, token="token1")),
        {I3},
    ),
    "two tokens for a leg": (
        evidence_of_one(
            an_instance(*IN_TWO_LEGS), journal=[*FIRST, *lines_of("begin", token="x", begin_ns=900, pid=7)]
        ),
        {I3, I11},
    ),
    "a try that goes on though it had not waited": (
        evidence_of_one(from_version_6(an_instance(*ONCE_MORE), try_number=1)),
        {I3, I5, I8},
    ),
    "a leg that counts as a try": (
        evidence_of_one(from_version_6(an_instance(*IN_TWO_LEGS), try_number=2)),
        {I5, I8},
    ),
    "a process that began twice": (
        evidence_of_one(an_instance(*WELL), journal=[*FIRST, *lines_of("begin", number=9, begin_ns=900)]),
        {I3},
    ),
    "a token in two processes": (
        evidence_of_one(an_instance(*WELL), journal=[*FIRST, *lines_of("tick", pid=200, number=9, begin_ns=900)]),
        {I3},
    ),
    "an end under a stale token": (evidence_of_one(changed(an_instance(*WELL), 4, token="stale")), {I4}),
    "an end of a stale try": (evidence_of_one(changed(an_instance(*ONCE_MORE), 8, try_number=1)), {I4, I5}),
    "a success that its process knows nothing of": (
        evidence_of_one(an_instance(*WELL), journal=FIRST[:2]),
        {I4},
    ),
    "a record of a try that nobody claimed": (
        evidence_of_one(an_instance(*WELL, attempts=[an_attempt(1, 3, 4, "stale")])),
        {I4},
    ),
    "a record of a try under no token that was not imported": (
        evidence_of_one(an_instance(*WELL, attempts=[replace(an_attempt(1, 3, 4), token="")])),
        {I4},
    ),
    "history of another system behind history of this one": (
        evidence_of_one(an_instance(*WELL, "cleared", "imported")),
        {I5},
    ),
    "a gap in the history": (
        evidence_of_one(an_instance(*WELL, history=[one for one in a_history(WELL) if one.version != 2])),
        {I5},
    ),
    "a state that nothing led to": (evidence_of_one(changed(an_instance(*WELL), 3, source="scheduled")), {I5}),
    "a row that its history does not lead to": (evidence_of_one(an_instance(*WELL, state="failed")), {I5}),
    "an end that was left by nobody's wish": (
        evidence_of_one(an_instance(*WELL, "scheduled", "queued", "claimed", "succeeded")),
        {I5, I8},
    ),
    "a run that ended without having begun": (
        Evidence(runs=[an_ended_run(version=1, history=[a_run_change(1, "queued", "success", "succeeded")])]),
        {I5},
    ),
    "a run whose history stops short of its row": (Evidence(runs=[an_ended_run(version=3)]), {I5}),
    "a second try for no reason": (
        evidence_of_one(an_instance(*WELL[:3], "marked", *WELL)),
        {I5, I8},
    ),
    "a task that nobody ended": (evidence_of_one(an_instance("scheduled", "queued")), {I9}),
    "a run that nobody ended": (Evidence(runs=[an_ended_run(state="queued", version=0, history=[])]), {I9}),
    "two processes at once": (
        evidence_of_one(
            an_instance(*ONCE_MORE), journal=[*FIRST, *lines_of("begin", "end", try_number=2, pid=7, begin_ns=15)]
        ),
        {I10},
    ),
    "a process that nobody let run": (
        evidence_of_one(an_instance(*WELL), journal=[*FIRST, *lines_of("begin", try_number=2, begin_ns=900, pid=7)]),
        {I11},
    ),
    "an old message that ran the new try": (
        evidence_of_one(
            an_instance(*ONCE_MORE),
            journal=[*FIRST, *lines_of("begin", "end", try_number=1, token="token2", pid=7, begin_ns=900)],
        ),
        {I3, I11},
    ),
    "a line that is not in the log": (evidence_of_one(an_instance(*WELL), journal=FIRST, logs={}), {I12}),
}


@pytest.mark.parametrize(("evidence", "invariants"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_found_and_named(evidence: Evidence, invariants: set[Invariant]) -> None:
    assert broken(evidence) == invariants


def requests(*told: tuple[str, str, str | None]) -> list[Request]:
    return [
        Request(number=number, outcome=Outcome(word), at_ns=number, idempotency_key=key, dag_id="etl", run_id=run)
        for number, (word, key, run) in enumerate(told, start=1)
    ]


A_WISH = f"{WISH}7:1:1"
RUNS_OF_K = [an_ended_run(idempotency_key="k")]
RUNS_OF_A_WISH = [an_ended_run(idempotency_key=A_WISH)]


@pytest.mark.parametrize(
    ("runs", "told", "is_well"),
    [
        (RUNS_OF_K, [("ok", "k", "run1")], True),
        (RUNS_OF_K, [("unknown", "k", None), ("ok", "k", "run1"), ("ok", "k", "run1")], True),
        (RUNS_OF_K, [("unknown", "k", None)], True),
        ([], [("unknown", "k", None), ("fail", "k", None)], True),
        ([an_ended_run()], [], True),
        ([], [("ok", "k", "run1")], False),
        (RUNS_OF_K, [("ok", "k", "run2")], False),
        (RUNS_OF_K, [("ok", "k", "run1"), ("ok", "k", "run2")], False),
        ([*RUNS_OF_K, an_ended_run(run_id="run2", idempotency_key="k")], [("ok", "k", "run1")], False),
        (RUNS_OF_K, [("fail", "k", None)], False),
        (RUNS_OF_K, [], False),
        (RUNS_OF_A_WISH, [], True),
        ([*RUNS_OF_A_WISH, an_ended_run(run_id="run2", idempotency_key=A_WISH)], [], False),
    ],
)
def test_the_ledger_has_what_clients_were_told(
    runs: Sequence[Run], told: list[tuple[str, str, str | None]], is_well: bool
) -> None:
    evidence = Evidence(runs=runs, requests=requests(*told))

    assert broken(replace(evidence, is_time_up=False)) == (set() if is_well else {I1})


def below(rule: str, *upstream_words: Sequence[str], start_at_us: int) -> Evidence:
    """A task that is scheduled at a moment, below upstreams whose histories begin at 0, one change a microsecond."""
    names = [f"up{number}" for number in range(len(upstream_words))]
    dag = Dag(tasks={"load": Task(upstream=names, trigger_rule=rule), **{name: Task() for name in names}})
    upstreams = [
        an_instance(*words, task=TaskKey("etl", "run1", name))
        for name, words in zip(names, upstream_words, strict=True)
    ]
    started = an_instance(history=a_history(WELL, begin_us=start_at_us - 1))
    return Evidence(runs=[an_ended_run(dag=dag)], instances=[started, *upstreams], is_time_up=False)


FAILS = (*WELL[:3], "failed")
SKIPS = ("decided",)


@pytest.mark.parametrize(
    ("rule", "upstreams", "at_us", "is_well"),
    [
        ("all_success", [WELL, WELL], 4, True),
        ("all_success", [WELL, WELL], 3, False),
        ("all_success", [WELL, FAILS], 9, False),
        ("all_failed", [FAILS, FAILS], 4, True),
        ("all_failed", [FAILS, WELL], 9, False),
        ("all_done", [WELL, FAILS, SKIPS], 4, True),
        ("all_done", [WELL, SKIPS], 2, False),
        ("all_done_min_one_success", [WELL, FAILS], 4, True),
        ("all_done_min_one_success", [FAILS], 4, False),
        ("one_success", [WELL, ()], 4, True),
        ("one_success", [FAILS, ()], 4, False),
        ("one_failed", [FAILS, ()], 4, True),
        ("one_failed", [WELL, WELL], 4, False),
        ("one_done", [FAILS, ()], 4, True),
        ("one_done", [SKIPS, ()], 4, False),
        ("none_failed", [WELL, SKIPS], 4, True),
        ("none_failed", [WELL, FAILS], 4, False),
        ("none_failed_min_one_success", [WELL, SKIPS], 4, True),
        ("none_failed_min_one_success", [SKIPS, SKIPS], 4, False),
        ("none_skipped", [WELL, FAILS], 4, True),
        ("none_skipped", [WELL, SKIPS], 4, False),
        ("all_skipped", [SKIPS, SKIPS], 4, True),
        ("all_skipped", [SKIPS, WELL], 4, False),
        ("always", [()], 1, True),
        ("all_success", [], 1, True),
    ],
)
def test_a_task_starts_when_its_rule_is_satisfied_by_what_was_committed(
    rule: str, upstreams: list[Sequence[str]], at_us: int, is_well: bool
) -> None:
    evidence = below(rule, *upstreams, start_at_us=at_us)

    assert broken(evidence) == (set() if is_well else {I6})


def a_mapped_run(*words: Sequence[str], items: int | None, length: Any = None, begins_us: int = 4) -> Evidence:
    """A task `up` that returns a list, and the instances of `m`, mapped over it, with histories that begin later."""
    dag = Dag(tasks={"up": Task(), "m": Task(upstream=["up"], length=length or {"result_of": "up"})})
    up = TaskKey("etl", "run1", "up")
    instances = [an_instance(*WELL, task=up)]
    for place, told in enumerate(words):
        key = TaskKey("etl", "run1", "m", place)
        instances.append(an_instance(task=key, history=a_history(told, begin_us=begins_us, owner=f"m{place}")))
    journal = [
        replace(line, items=items if line.word is Word.END else None)
        for line in lines_of("begin", "end", token="uptoken1", task=up)
    ]
    return Evidence(runs=[an_ended_run(dag=dag)], instances=instances, journal=journal, is_time_up=False)


STARTED = ("scheduled",)
REMOVED = ("removed",)


@pytest.mark.parametrize(
    ("evidence", "is_well"),
    [
        (a_mapped_run(STARTED, STARTED, items=2), True),
        (a_mapped_run(STARTED, STARTED, items=1), False),
        (a_mapped_run(STARTED, STARTED, items=3), False),
        (a_mapped_run(STARTED, STARTED, items=None), True),
        (a_mapped_run(STARTED, REMOVED, items=1), True),
        (a_mapped_run(STARTED, REMOVED, items=2), False),
        (a_mapped_run(STARTED, items=None, length={"items": 1}), True),
        (a_mapped_run(STARTED, items=None, length={"items": 2}), False),
        (a_mapped_run(*[STARTED] * 4, items=2, length={"crossed": [{"result_of": "up"}, {"items": 2}]}), True),
        (a_mapped_run(*[STARTED] * 3, items=2, length={"chained": [{"result_of": "up"}, {"items": 1}]}), True),
        (
            a_mapped_run(STARTED, items=2, length={"zipped": [{"result_of": "up"}, {"items": 1}], "is_longest": False}),
            True,
        ),
    ],
)
def test_a_mapped_task_starts_as_many_instances_as_it_has_items(evidence: Evidence, is_well: bool) -> None:
    assert broken(evidence) == (set() if is_well else {I13})


@pytest.mark.parametrize("indexes", [(0, 2), (-1, 0), (1,)])
def test_map_indexes_have_no_gap(indexes: tuple[int, ...]) -> None:
    evidence = a_mapped_run(items=None)
    strange = [an_instance(task=TaskKey("etl", "run1", "m", index)) for index in indexes]

    assert broken(replace(evidence, instances=[*evidence.instances, *strange])) == {I13}


def test_an_instance_that_starts_without_a_map_index_is_found() -> None:
    evidence = a_mapped_run(items=1)
    unexpanded = an_instance(task=TaskKey("etl", "run1", "m"), history=a_history(STARTED, begin_us=4))

    assert broken(replace(evidence, instances=[*evidence.instances, unexpanded])) == {I13}


def below_mapped(at_us: int, group: str | None, *above: Sequence[str], index: int = -1) -> Evidence:
    """An instance `low` that is scheduled at a moment, below a mapped task whose instances begin at 0."""
    literal = {"items": len(above)}
    own = literal if index >= 0 else None
    dag = Dag(
        tasks={
            "m": Task(length=literal, mapped_group=group),
            "low": Task(upstream=["m"], length=own, mapped_group=group if own else None),
        }
    )
    instances = [
        an_instance(task=TaskKey("etl", "run1", "m", place), history=a_history(words, owner=f"m{place}"))
        for place, words in enumerate(above)
    ] + [
        an_instance(
            task=TaskKey("etl", "run1", "low", place),
            history=a_history(STARTED, begin_us=at_us - 1) if place == index else [],
        )
        for place in (range(len(above)) if own else [-1])
    ]
    return Evidence(runs=[an_ended_run(dag=dag)], instances=instances, is_time_up=False)


@pytest.mark.parametrize(
    ("evidence", "is_well"),
    [
        (below_mapped(9, None, WELL, WELL), True),
        (below_mapped(9, None, WELL, STARTED), False),
        (below_mapped(9, None, WELL, FAILS), False),
        (below_mapped(9, "g", WELL, STARTED, index=0), True),
        (below_mapped(9, "g", STARTED, WELL, index=0), False),
        (below_mapped(9, "g", STARTED, WELL, index=1), True),
    ],
)
def test_what_waits_for_a_mapped_task_waits_for_all_of_it_and_in_a_mapped_group_for_its_own(
    evidence: Evidence, is_well: bool
) -> None:
    assert broken(evidence) == (set() if is_well else {I6})


def test_a_task_that_began_before_its_upstream_ended_by_their_own_words_is_found() -> None:
    evidence = below("all_success", WELL, start_at_us=5)
    upstream = TaskKey("etl", "run1", "up0")
    early = [
        *lines_of("begin", "end", token="up0token1", task=upstream, begin_ns=100),
        *lines_of("begin", "end", begin_ns=50, pid=7, number=3),
    ]

    assert broken(replace(evidence, journal=early)) == {I6}


def test_moments_of_a_clock_that_was_moved_decide_nothing() -> None:
    evidence = below("all_success", FAILS, start_at_us=9)

    assert broken(replace(evidence, is_clock_steady=False)) == set()


@pytest.mark.parametrize(
    ("dag", "pools", "apart_us", "is_well"),
    [
        (Dag(), {"default_pool": 2}, 0, True),
        (Dag(), {"default_pool": 1}, 0, False),
        (Dag(), {"default_pool": 1}, 2, True),
        (Dag(), {"default_pool": -1}, 0, True),
        (Dag(max_active_tasks=1), {}, 0, False),
        (Dag(max_active_tasks=1), {}, 2, True),
        (Dag(tasks={"load": Task(max_active_tis_per_dag=1)}), {}, 0, False),
        (Dag(tasks={"load": Task(max_active_tis_per_dagrun=1)}), {}, 0, False),
    ],
)
def test_no_more_is_held_than_the_limits_allow(dag: Dag, pools: dict[str, int], apart_us: int, is_well: bool) -> None:
    instances = [
        an_instance(
            history=[
                replace(one, token=one.token and f"{one.token}-{place}")
                for one in a_history(WELL, begin_us=place * apart_us)
            ],
            task=replace(A_TASK, map_index=place),
        )
        for place in range(2)
    ]

    evidence = Evidence(runs=[an_ended_run(dag=dag)], instances=instances, pools=pools)

    assert broken(evidence) == (set() if is_well else {I7})


@pytest.mark.parametrize(("second_begins_us", "is_well"), [(9, False), (20, True)])
def test_no_more_runs_run_than_the_dag_allows(second_begins_us: int, is_well: bool) -> None:
    runs = [
        an_ended_run(run_id=f"run{begin}", dag=Dag(max_active_runs=1), begin_us=begin, end_us=begin + 15)
        for begin in (5, second_begins_us)
    ]

    assert broken(Evidence(runs=runs)) == (set() if is_well else {I7})


@pytest.mark.parametrize(("second_begins_us", "is_well"), [(9, False), (20, True)])
def test_a_backfill_has_a_limit_of_its_own_since_it_was_made(second_begins_us: int, is_well: bool) -> None:
    backfill = Backfill(key=1, max_active_runs=1, made_at_us=2)
    of_the_dag = an_ended_run(run_id="by hand", dag=Dag(max_active_runs=1), begin_us=5, end_us=30)
    earlier = an_ended_run(run_id="run again", dag=Dag(max_active_runs=1), begin_us=0, end_us=1)
    runs = [
        an_ended_run(run_id=f"run{begin}", dag=Dag(max_active_runs=1), begin_us=begin, end_us=begin + 15)
        for begin in (5, second_begins_us)
    ]

    evidence = Evidence(runs=[of_the_dag, *(replace(run, backfill=backfill) for run in [earlier, *runs])])

    assert broken(evidence) == (set() if is_well else {I7})


def test_a_line_that_is_missing_behind_a_truncation_mark_is_accounted_for() -> None:
    logs = {(A_TASK, 1): "2026-11-22T10:00:00.000000Z - log truncated: its size limit is reached"}

    assert broken(evidence_of_one(an_instance(*WELL), journal=FIRST, logs=logs)) == set()


def test_a_line_that_is_missing_is_accounted_for_where_the_ledger_says_that_the_log_is_truncated() -> None:
    attempt = replace(an_attempt(1, 3, 4), is_log_truncated=True)

    assert broken(evidence_of_one(an_instance(*WELL, attempts=[attempt]), journal=FIRST, logs={})) == set()


def test_a_violation_says_what_to_look_at() -> None:
    evidence = evidence_of_one(changed(an_instance(*WELL), 4, token="stale"))

    assert [str(violation) for violation in check(evidence)] == [
        "I4 etl run1 load: version 4 let try 1 under stale end it (succeeded); try 1 under token1 ran"
        " [a write with a stale try or token changes nothing]"
    ]
