"""Shapes of backfills."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field

from flowd.api.schemas.base import Body, Moment, Shape
from flowd.db.views.backfills import BackfillView
from flowd.domain.backfill import DEFAULT_ACTIVE_RUNS, BackfillRequest, ReprocessBehavior
from flowd.domain.ids import DagId


class BackfillResponse(Shape):
    """A backfill."""

    id: int
    dag_id: str
    dag_display_name: str
    from_date: datetime
    to_date: datetime
    dag_run_conf: dict[str, Any] | None
    is_paused: bool
    reprocess_behavior: ReprocessBehavior
    max_active_runs: int
    created_at: datetime
    completed_at: datetime | None
    updated_at: datetime
    # Beyond Airflow: how many dates it has so far, and for how many of them a run was made or refused.
    dates: int
    handled: int
    runs: dict[str, int] | None = None
    """How many dates have a run in each state, and how many none for each reason; null in lists."""

    @classmethod
    def of(cls, view: BackfillView, runs: dict[str, int] | None = None) -> Self:
        """Return the shape of a backfill."""
        backfill, asked = view.backfill, view.backfill.request
        return cls(
            id=backfill.key,
            dag_id=asked.dag_id,
            dag_display_name=view.dag_display_name,
            from_date=asked.from_date,
            to_date=asked.to_date,
            dag_run_conf=None if asked.conf is None else dict(asked.conf),
            is_paused=backfill.is_paused,
            reprocess_behavior=asked.reprocess_behavior,
            max_active_runs=asked.max_active_runs,
            created_at=backfill.created_at,
            completed_at=backfill.completed_at,
            updated_at=backfill.updated_at,
            dates=backfill.planned,
            handled=backfill.handled,
            runs=runs,
        )


class BackfillCollectionResponse(Shape):
    """A page of backfills."""

    backfills: list[BackfillResponse]
    total_entries: int


class DryRunBackfillResponse(Shape):
    """A date for which a run would be made."""

    logical_date: datetime
    partition_key: str | None = None
    partition_date: datetime | None = None


class DryRunBackfillCollectionResponse(Shape):
    """What a backfill would do."""

    backfills: list[DryRunBackfillResponse]
    total_entries: int


class BackfillPostBody(Body):
    """What somebody who wants a backfill says."""

    dag_id: str
    from_date: Moment
    to_date: Moment
    run_backwards: bool = False
    dag_run_conf: dict[str, Any] | None = None
    reprocess_behavior: ReprocessBehavior = ReprocessBehavior.NONE
    max_active_runs: int = Field(DEFAULT_ACTIVE_RUNS, ge=1, lt=2**31)
    run_on_latest_version: bool | None = None

    def request(self) -> BackfillRequest:
        """Return it as the actions take it."""
        return BackfillRequest(
            dag_id=DagId(self.dag_id),
            from_date=self.from_date,
            to_date=self.to_date,
            conf=self.dag_run_conf,
            reprocess_behavior=self.reprocess_behavior,
            is_backwards=self.run_backwards,
            max_active_runs=self.max_active_runs,
            run_on_latest_version=self.run_on_latest_version is not False,
        )
