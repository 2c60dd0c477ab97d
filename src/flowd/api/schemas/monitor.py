"""Shapes of health, version, import errors and the audit log."""

from datetime import datetime
from typing import Literal, Self

from flowd.api.schemas.base import Shape
from flowd.db.views.import_errors import ImportErrorView
from flowd.db.views.versions import BUNDLE_NAME


class MetadatabaseHealth(Shape):
    """Whether the metastore answers."""

    status: str | None


class SchedulerHealth(Shape):
    """When a scheduler was last seen."""

    status: str | None
    latest_scheduler_heartbeat: str | None


class TriggererHealth(Shape):
    """There is no triggerer to be seen: waiting tasks are the scheduler's business."""

    status: str | None = None
    latest_triggerer_heartbeat: str | None = None


class DagProcessorHealth(Shape):
    """When a node that parses DAG files was last seen."""

    status: str | None
    latest_dag_processor_heartbeat: str | None


class HealthResponse(Shape):
    """The health of the cluster, as the metastore knows it."""

    metadatabase: MetadatabaseHealth
    scheduler: SchedulerHealth
    triggerer: TriggererHealth
    dag_processor: DagProcessorHealth | None


class VersionResponse(Shape):
    """Which flowd this is."""

    version: str
    git_version: str | None = None


class ReadyResponse(Shape):
    """Whether this node can take requests, and what of it is not ready, with the reason."""

    status: Literal["ready", "not ready"]
    problems: dict[str, str]


class ImportErrorResponse(Shape):
    """A file that gave no DAGs."""

    import_error_id: int
    timestamp: datetime
    filename: str
    bundle_name: str | None = BUNDLE_NAME
    stack_trace: str

    @classmethod
    def of(cls, error: ImportErrorView) -> Self:
        """Return the shape of an import error."""
        return cls(import_error_id=error.key, timestamp=error.at, filename=error.file, stack_trace=error.message)


class ImportErrorCollectionResponse(Shape):
    """A page of import errors."""

    import_errors: list[ImportErrorResponse]
    total_entries: int


class TokenResponse(Shape):
    """An access token."""

    access_token: str
