"""Ratios: a figure never stands alone."""

import pytest

from bench.figure import Limit, Unit, compare, nearest_rank
from tests.support.bench_figures import LIMITS, a_figure


def test_a_rate_is_a_share_of_the_median_limit() -> None:
    [found] = compare(a_figure(Unit.PER_SECOND, 100, 410, 500), LIMITS)

    assert (found.bound, found.ratio, found.text) == (1000, 0.41, "41 %")


def test_a_cost_is_a_multiple_of_the_milliseconds_that_one_of_a_rate_takes() -> None:
    [found] = compare(a_figure(Unit.MILLISECONDS, 24, against=("commit.sqlite",)), LIMITS)

    assert (found.bound, found.ratio, found.text) == (2, 12, "12.0 x")


def test_idle_cpu_is_a_share_of_a_core() -> None:
    [found] = compare(a_figure(Unit.PERCENT_OF_CORE, 0.5, against=("core",)), LIMITS)

    assert found.text == "0.5 %"


def test_memory_is_not_compared_with_time() -> None:
    with pytest.raises(ValueError, match=r"the limit spawn is in /s; it cannot be compared with a figure in MiB"):
        compare(a_figure(Unit.MEBIBYTES, 100), LIMITS)


def test_a_figure_without_a_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="fan on sqlite, tasks: no limit to compare it with"):
        a_figure(Unit.PER_SECOND, 1, against=())


def test_a_limit_of_another_system_stands_beside_a_figure_only_where_it_was_measured() -> None:
    celery = Limit(name="celery.noop", words="Celery", unit=Unit.PER_SECOND, values=(800.0,))
    figure = a_figure(Unit.PER_SECOND, 400, beside=("celery.noop",))

    assert [one.limit.name for one in compare(figure, LIMITS)] == ["spawn"]
    assert [one.text for one in compare(figure, {**LIMITS, "celery.noop": celery})] == ["40 %", "50 %"]


def test_a_high_percentile_is_by_nearest_rank() -> None:
    samples = [float(number) for number in range(1, 31)]

    assert nearest_rank(samples, 0.99) == 30
    assert nearest_rank(samples, 0.9) == 27
    assert a_figure(Unit.MILLISECONDS, *samples, quantile=0.99).value == 30
    assert a_figure(Unit.MILLISECONDS, *samples).value == 15.5
