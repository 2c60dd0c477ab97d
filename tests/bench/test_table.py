"""What people read: no figure without its limit, its target and how it was measured."""

from bench.figure import Failure, Unit
from bench.table import details_rows, failures_table, figures_rows, limits_rows, parts_rows, summary, tables
from bench.target import AtLeastShare, AtMost, Target
from bench.text_table import aligned, markdown
from tests.support.bench_figures import LIMITS, a_figure

TARGETS = [Target(scenario="fan", metric="rate", bar=AtMost(22.0))]


def test_every_figure_in_the_table_has_its_limit_beside_it() -> None:
    rows = figures_rows([a_figure(Unit.MILLISECONDS, 20, 24, 31, against=("commit.sqlite", "spawn"))], LIMITS, TARGETS)

    [_, _, first, second] = aligned(rows).splitlines()
    assert first.split() == "fan sqlite 24 ms tasks 20 to 31 12.0 x 2 ms raw commit <= 22 ms NOT REACHED once".split()
    assert second.split() == "24.0 x 1 ms raw spawn".split()


def test_a_figure_with_more_targets_than_limits_shows_all_of_them() -> None:
    targets = [*TARGETS, Target(scenario="fan", metric="rate", bar=AtLeastShare(0.5, "spawn"))]

    rows = figures_rows([a_figure(Unit.PER_SECOND, 20)], LIMITS, targets)

    assert [row[6:8] for row in rows[1:]] == [("<= 22/s", "reached"), (">= 50 % of spawn (500/s)", "NOT REACHED")]
    assert summary([a_figure(Unit.PER_SECOND, 20)], LIMITS, targets) == "1 of 2 targets reached"
    assert summary([a_figure(Unit.PER_SECOND, 20)], LIMITS, []) == ""


def test_the_table_of_limits_shows_how_steady_they_are() -> None:
    lines = aligned(limits_rows(LIMITS)).splitlines()

    assert lines[2].split() == "spawn raw spawn 1,000/s 900 to 1,200".split()
    assert lines[3].split() == "commit.sqlite raw commit 500/s".split()


def test_the_details_show_only_the_parts_and_steps_that_were_measured() -> None:
    cpu = {"node": 5.25, "keeper": 0.5, "children": 1.5}
    steps = {"admit": 1.0, "claim": 2.0, "execute": 3.0}

    [_, row] = details_rows(
        [a_figure(Unit.PER_SECOND, 1), a_figure(Unit.PER_SECOND, 1, cpu_ms_per_task=cpu, step_ms=steps)]
    )

    assert row == ("fan", "rate", "sqlite", "5.25", "0.50", "1.50", "", "", "", "1.00", "2.00", "3.00")


def test_idleness_is_shared_out_between_the_processes() -> None:
    figure = a_figure(Unit.MEBIBYTES, 121, parts={"node": 100.0, "keeper": 21.0, "children": 0.0})

    assert parts_rows([figure])[1:] == [("fan", "sqlite", "MiB", "100", "21", "0")]


def test_a_table_with_nothing_but_a_head_is_left_out() -> None:
    assert tables([("a", "b")], [("c", "d"), ("1", "2")]) == "c  d\n----\n1  2"


def test_a_table_in_markdown_keeps_its_columns() -> None:
    assert markdown([("a", "b"), ("1|2", "3")]) == "| a | b |\n|---|---|\n| 1\\|2 | 3 |"


def test_a_failure_is_told_with_its_reason() -> None:
    failure = Failure(scenario="chain", backend="postgres", reason="it failed")

    assert failures_table([failure]) == "FAILED  chain on postgres: it failed"
