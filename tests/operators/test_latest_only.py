"""LatestOnlyOperator: a run goes on unless the schedule's next one is due."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowd import DAG, EmptyOperator, LatestOnlyOperator
from flowd.domain.assignment import RunContext
from flowd.domain.states import RunType
from tests.operators.running import context_for, execute

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime.now(UTC)


def skipped(*, run_type: RunType, tick: datetime, **dag: Any) -> list[str]:
    """What a run about `tick` skips."""
    with DAG("etl", **{"start_date": tick, **dag}):
        latest = LatestOnlyOperator(task_id="latest")
        latest >> [EmptyOperator(task_id="a"), EmptyOperator(task_id="b")] >> EmptyOperator(task_id="c")
    run = RunContext(
        run_type=run_type, run_after=tick, logical_date=tick, data_interval_start=tick, data_interval_end=tick
    )
    context = context_for(latest, run)
    execute(latest, context)
    skips: list[str] = context["ti"].skipped
    return skips


@pytest.mark.parametrize(
    ("run_type", "tick", "dag", "expected"),
    [
        (RunType.SCHEDULED, NOW - HOUR, {"schedule": DAY}, []),
        (RunType.SCHEDULED, NOW - DAY - HOUR, {"schedule": DAY}, ["a", "b"]),
        (RunType.BACKFILL, datetime(2020, 1, 1, tzinfo=UTC), {"schedule": "@daily"}, ["a", "b"]),
        (RunType.MANUAL, datetime(2020, 1, 1, tzinfo=UTC), {"schedule": "@daily"}, []),
        (RunType.SCHEDULED, datetime(2020, 1, 1, tzinfo=UTC), {"schedule": "@once"}, []),
        (
            RunType.SCHEDULED,
            datetime(2020, 1, 1, tzinfo=UTC),
            {"schedule": "@daily", "end_date": datetime(2020, 1, 1, 12, tzinfo=UTC)},
            [],
        ),
    ],
    ids=["latest", "superseded", "backfill", "manual", "only one", "last one"],
)
def test_only_the_latest_run_and_a_triggered_one_go_on(
    run_type: RunType, tick: datetime, dag: dict[str, Any], expected: list[str]
) -> None:
    assert skipped(run_type=run_type, tick=tick, **dag) == expected
