"""The audit log, in Airflow's shape."""

from typing import Self

from flowd.api.schemas.base import Moment, Shape
from flowd.db.views.audit import AuditEvent


class EventLogResponse(Shape):
    """Who did what, and when. `extra` is JSON: `request_id`, and `changes` with what was before and after."""

    event_log_id: int
    when: Moment
    dag_id: str | None
    task_id: str | None
    run_id: str | None
    map_index: int | None
    try_number: int | None
    event: str
    logical_date: Moment | None
    owner: str
    extra: str
    dag_display_name: str | None
    task_display_name: str | None

    @classmethod
    def of(cls, event: AuditEvent) -> Self:
        """Return the shape of a row."""
        return cls(
            event_log_id=event.id,
            when=event.at,
            dag_id=event.dag_id,
            task_id=event.task_id,
            run_id=event.run_id,
            map_index=event.map_index,
            try_number=event.try_number,
            event=event.event,
            logical_date=event.logical_date,
            owner=event.owner,
            extra=event.extra,
            dag_display_name=event.dag_display_name,
            task_display_name=event.task_display_name,
        )


class EventLogCollectionResponse(Shape):
    """A page of the audit log."""

    event_logs: list[EventLogResponse]
    total_entries: int
