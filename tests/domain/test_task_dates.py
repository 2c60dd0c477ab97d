"""A task's own dates, each bound included; a run without a date and one of a backfill have every task."""

from datetime import timedelta
from typing import Any

import pytest

from flowd.domain.ids import BackfillKey
from flowd.domain.task_dates import absent_tasks
from tests.support.specs import NOW, a_graph, a_run, a_task

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("run", "absent"),
    [
        ({"logical_date": NOW}, set()),
        ({"logical_date": NOW - DAY}, {"from_now", "today"}),
        ({"logical_date": NOW + DAY}, {"until_now", "today"}),
        ({"logical_date": None}, set()),
        ({"logical_date": NOW - DAY, "backfill": BackfillKey(1)}, set()),
    ],
)
def test_a_run_is_without_the_tasks_whose_dates_do_not_hold_its_own(run: dict[str, Any], absent: set[str]) -> None:
    graph = a_graph(
        a_task("always"),
        a_task("from_now", start_date=NOW),
        a_task("until_now", end_date=NOW),
        a_task("today", start_date=NOW, end_date=NOW),
    )

    assert absent_tasks(graph, a_run(**run)) == absent
