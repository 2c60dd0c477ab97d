"""Shapes of DAG versions and their source."""

from datetime import datetime
from typing import Self
from uuid import UUID

from flowd.api.schemas.base import Shape, as_uuid
from flowd.db.views.versions import VersionView


class DagVersionResponse(Shape):
    """A version of a DAG."""

    id: UUID
    version_number: int
    dag_id: str
    dag_display_name: str
    bundle_name: str | None
    bundle_version: str | None
    bundle_url: str | None = None
    created_at: datetime

    @classmethod
    def of(cls, version: VersionView, dag_display_name: str) -> Self:
        """Return the shape of a version."""
        return cls(
            id=as_uuid(version.key),
            version_number=version.number,
            dag_id=version.dag_id,
            dag_display_name=dag_display_name,
            bundle_name=version.bundle_name,
            bundle_version=version.bundle,
            created_at=version.created_at,
        )


class DagVersionCollectionResponse(Shape):
    """A page of versions."""

    dag_versions: list[DagVersionResponse]
    total_entries: int


class DagSourceResponse(Shape):
    """The text of a DAG's file."""

    content: str | None
    dag_id: str
    dag_display_name: str
    version_number: int | None
