"""Shapes of pushed bundles and of their plans."""

from datetime import datetime
from typing import Self

from pydantic import Field

from flowd.api.schemas.base import Body, Shape
from flowd.db.pushed_bundles import PushedVersion, StoredPlan
from flowd.domain.bundle_plan import ChangeKind


class ChangedTaskResponse(Shape):
    """A task that both versions have, and the fields in which they differ."""

    task_id: str
    fields: list[str]


class DagDiffResponse(Shape):
    """The fields of a DAG that differ, and its tasks."""

    fields: list[str]
    tasks_added: list[str]
    tasks_removed: list[str]
    tasks_changed: list[ChangedTaskResponse]


class UnfinishedRunsResponse(Shape):
    """How many runs have not ended; they go on with this version of the DAG."""

    version: int
    state: str
    count: int


class DagChangeResponse(Shape):
    """What becomes of a DAG, when it runs next before and after, and which of its runs go on with what they have."""

    dag_id: str
    kind: ChangeKind
    file: str
    diff: DagDiffResponse
    is_source_changed: bool
    fire_times_before: list[datetime]
    fire_times_after: list[datetime]
    unfinished: list[UnfinishedRunsResponse]


class FileChangesResponse(Shape):
    """How many files differ, and the first of them: + added, ~ changed, - removed."""

    added: int
    changed: int
    removed: int
    names: list[str]


class BundleWarningResponse(Shape):
    """Something to know about a file; `line` is 0 where it is about no line."""

    file: str
    line: int
    text: str


class BundlePlanResponse(Shape):
    """What applying the plan would do. With `errors` it cannot be applied."""

    hash: str
    name: str
    from_version: int | None
    to_version: int | None
    bundle: str
    is_empty: bool
    dags: list[DagChangeResponse]
    unchanged: int
    files: FileChangesResponse
    errors: dict[str, str]
    warnings: list[BundleWarningResponse]
    made_at: datetime
    applied_version: int | None

    @classmethod
    def of(cls, kept: StoredPlan) -> Self:
        """Return the shape of a plan."""
        return cls.model_validate({**kept.plan, "made_at": kept.made_at, "applied_version": kept.applied_version})


class BundleVersionResponse(Shape):
    """A version of a pushed bundle."""

    name: str
    version_number: int
    is_current: bool
    bundle: str
    size_bytes: int
    files: int
    pushed_at: datetime
    pushed_by: str | None

    @classmethod
    def of(cls, one: PushedVersion) -> Self:
        """Return the shape of a version."""
        return cls(
            name=one.name,
            version_number=one.number,
            is_current=one.is_current,
            bundle=one.bundle,
            size_bytes=one.size_bytes,
            files=one.files,
            pushed_at=one.pushed_at,
            pushed_by=one.pushed_by,
        )


class BundleCollectionResponse(Shape):
    """A page of bundles, each with the version that is in service."""

    bundles: list[BundleVersionResponse]
    total_entries: int


class BundleVersionCollectionResponse(Shape):
    """A page of versions."""

    versions: list[BundleVersionResponse]
    total_entries: int


class RollbackBody(Body):
    """Which version is to be in service again; without one, that below the one which is."""

    version_number: int | None = Field(None, ge=1, lt=2**31)
