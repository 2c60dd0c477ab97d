"""Airflow's trigger rules, as a table over all that upstream tasks can be, and as properties."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.errors import InvalidDag
from flowd.domain.trigger_rules import TriggerRule, UpstreamCounts, Verdict, evaluate, parse_trigger_rule, why

VERDICTS = {
    "R": Verdict.READY,
    "w": Verdict.WAIT,
    "S": Verdict.SKIPPED,
    "U": Verdict.UPSTREAM_FAILED,
}
COLUMNS = [
    TriggerRule.ALL_SUCCESS,
    TriggerRule.ALL_FAILED,
    TriggerRule.ALL_SKIPPED,
    TriggerRule.ALL_DONE,
    TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
    TriggerRule.ALL_DONE_SETUP_SUCCESS,
    TriggerRule.ONE_SUCCESS,
    TriggerRule.ONE_FAILED,
    TriggerRule.ONE_DONE,
    TriggerRule.NONE_FAILED,
    TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
    TriggerRule.NONE_SKIPPED,
    TriggerRule.ALWAYS,
]
# One letter for each upstream task: success, failed, sKipped, upstream_failed, removed, "." not done yet.
# Columns in the order above: all_* (five, three of them all_done*), one_* (three), none_* (three), always.
TABLE = {
    "": "RRR RRR RRR RRR R",
    ".": "www www www www R",
    "s": "RSS RRR RSR RRR R",
    "f": "URS RUR URR UUR R",
    "k": "SSR RSR SSS RSS R",
    "u": "URS RUR URS UUR R",
    "r": "RRR RUR USS RSR R",
    "s.": "wSS www RwR www R",
    "f.": "UwS www wRR UUw R",
    "k.": "SSw wSw www wwS R",
    "u.": "UwS www wRw UUw R",
    "r.": "www www www www R",
    "ss": "RSS RRR RSR RRR R",
    "sf": "USS RRR RRR UUR R",
    "sk": "SSS RSR RSR RRS R",
    "su": "USS RRR RRR UUR R",
    "sr": "RSS RRR RSR RRR R",
    "ff": "URS RUR URR UUR R",
    "fk": "USS RSR URR UUS R",
    "fu": "URS RUR URR UUR R",
    "fr": "URS RUR URR UUR R",
    "kk": "SSR RSR SSS RSS R",
    "ku": "USS RSR URS UUS R",
    "kr": "SSR RSR USS RSS R",
    "uu": "URS RUR URS UUR R",
    "ur": "URS RUR URS UUR R",
    "rr": "RRR RUR USS RSR R",
    "sf.": "USS www RRR UUw R",
    "sk.": "SSS wSw RwR wwS R",
    "su.": "USS www RRR UUw R",
    "fk.": "USS wSw wRR UUS R",
    "ku.": "USS wSw wRw UUS R",
    "sfk": "USS RSR RRR UUS R",
    "skr": "SSS RSR RSR RRS R",
}
LETTERS = {"s": "success", "f": "failed", "k": "skipped", "u": "upstream_failed", "r": "removed"}


def upstream(states: str, setups: str = "") -> UpstreamCounts:
    """The counts of upstream tasks in `states`, and of `setups` beside them, in the letters of the table."""
    every, setup = Counter(states + setups), Counter(setups)
    return UpstreamCounts(
        total=every.total(),
        **{name: every[letter] for letter, name in LETTERS.items()},
        setup_total=setup.total(),
        setup_success=setup["s"],
        setup_skipped=setup["k"],
    )


@pytest.mark.parametrize("states", TABLE)
def test_a_rule_decides_as_in_airflow(states: str) -> None:
    expected = [VERDICTS[letter] for letter in TABLE[states].replace(" ", "")]

    assert {rule: evaluate(rule, upstream(states)) for rule in COLUMNS} == dict(zip(COLUMNS, expected, strict=True))


def test_the_table_has_a_column_for_each_rule() -> None:
    assert sorted(COLUMNS) == sorted(TriggerRule)
    assert len(TriggerRule) == 13


@pytest.mark.parametrize(
    ("states", "setups", "expected"),
    [
        ("f", "s", Verdict.READY),
        ("s", "sf", Verdict.READY),
        ("s", "kk", Verdict.SKIPPED),
        ("s", "kf", Verdict.UPSTREAM_FAILED),
        ("s", "f", Verdict.UPSTREAM_FAILED),
        ("s", "u", Verdict.UPSTREAM_FAILED),
        ("s.", "f", Verdict.WAIT),
        ("s", "k.", Verdict.WAIT),
        ("sk", "", Verdict.READY),
    ],
)
def test_a_teardown_runs_when_all_is_done_and_one_of_its_setups_succeeded(
    states: str, setups: str, expected: Verdict
) -> None:
    assert evaluate(TriggerRule.ALL_DONE_SETUP_SUCCESS, upstream(states, setups)) is expected


@pytest.mark.parametrize(
    ("states", "map_index", "expected"),
    [
        ("ssr", 1, Verdict.READY),
        ("ssr", 2, Verdict.REMOVED),
        ("sr.", 2, Verdict.WAIT),
        ("rr", 2, Verdict.READY),
        ("ss", 2, Verdict.READY),
        ("srf", 2, Verdict.UPSTREAM_FAILED),
        ("srk", 2, Verdict.SKIPPED),
    ],
)
def test_a_mapped_instance_whose_counterpart_was_removed_is_removed(
    states: str, map_index: int, expected: Verdict
) -> None:
    assert evaluate(TriggerRule.ALL_SUCCESS, upstream(states), map_index=map_index) is expected


rules = st.sampled_from(TriggerRule)
outcomes = st.text("sfkur", max_size=8)
map_indexes = st.integers(-1, 8)


@given(rules, outcomes, outcomes, map_indexes)
def test_when_all_is_done_no_rule_waits(rule: TriggerRule, states: str, setups: str, map_index: int) -> None:
    assert evaluate(rule, upstream(states, setups), map_index=map_index) is not Verdict.WAIT


@given(rules, outcomes, outcomes, map_indexes)
def test_a_decision_stands_whatever_ends_after_it(rule: TriggerRule, first: str, later: str, map_index: int) -> None:
    early = evaluate(rule, upstream(first + "." * len(later)), map_index=map_index)
    late = evaluate(rule, upstream(first + later), map_index=map_index)

    allowed = {early}
    if early is Verdict.WAIT:
        allowed = set(Verdict) - {Verdict.WAIT}
    elif rule is TriggerRule.ALL_SUCCESS and early is Verdict.SKIPPED:
        allowed.add(Verdict.UPSTREAM_FAILED)
    assert late in allowed


def test_a_failure_after_a_skip_is_the_one_case_in_which_order_matters() -> None:
    assert evaluate(TriggerRule.ALL_SUCCESS, upstream("k.")) is Verdict.SKIPPED
    assert evaluate(TriggerRule.ALL_SUCCESS, upstream("kf")) is Verdict.UPSTREAM_FAILED


@pytest.mark.parametrize("rule", TriggerRule)
def test_every_rule_is_parsed_by_its_airflow_name(rule: TriggerRule) -> None:
    assert parse_trigger_rule(rule.value) is rule


@pytest.mark.parametrize(
    ("former", "rule"),
    [("dummy", TriggerRule.ALWAYS), ("none_failed_or_skipped", TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)],
)
def test_former_names_still_parse(former: str, rule: TriggerRule) -> None:
    assert parse_trigger_rule(former) is rule


def test_an_unknown_rule_is_answered_with_those_there_are() -> None:
    with pytest.raises(InvalidDag, match="trigger_rule 'all_sucess': no such rule; use one of all_success, all_failed"):
        parse_trigger_rule("all_sucess")


@pytest.mark.parametrize(
    ("rule", "states", "expected"),
    [
        ("all_success", "sss..", "trigger rule all_success: 2 of 5 upstream tasks are not done"),
        ("one_success", "f.", "trigger rule one_success: 1 of 2 upstream tasks is not done"),
        (
            "all_success",
            "sfu.",
            "trigger rule all_success: the task becomes upstream_failed "
            "(of 4 upstream tasks: 1 succeeded, 1 failed, 1 upstream_failed, 1 not done)",
        ),
        ("all_done", "kr", "trigger rule all_done: met (of 2 upstream tasks: 1 skipped, 1 removed)"),
        ("all_success", "", "trigger rule all_success: met (no upstream tasks)"),
    ],
)
def test_the_reason_says_what_is_missing(rule: str, states: str, expected: str) -> None:
    assert why(parse_trigger_rule(rule), upstream(states)) == expected


def test_more_ended_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="3 of 2 upstream tasks have ended, wanted at most 2"):
        UpstreamCounts(total=2, success=3)
