"""Shapes of what tasks and assets keep."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, JsonValue, field_validator

from flowd.api.schemas.base import Body, Moment, Shape
from flowd.db.views.state_stores import Kept, Writer

LONGEST_KEY = 500


class TaskStateResponse(Shape):
    """A value that a task instance keeps."""

    key: str
    value: JsonValue
    updated_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, kept: Kept) -> Self:
        """Return the shape of a value."""
        return cls(key=kept.key, value=kept.value, updated_at=kept.at, expires_at=kept.expires_at)


class TaskStateCollectionResponse(Shape):
    """A page of what a task instance keeps."""

    task_state_store: list[TaskStateResponse]
    total_entries: int


class ValueBody(Body):
    """A value to be kept: any JSON value but null, which stands for nothing there."""

    value: JsonValue = Field(json_schema_extra={"not": {"type": "null"}})

    @field_validator("value")
    @classmethod
    def _is_something(cls, value: JsonValue) -> JsonValue:
        if value is None:
            raise ValueError("null cannot be kept: it stands for nothing there; delete the key")
        return value


class TaskStateBody(ValueBody):
    """A value for a task instance to keep until a moment; `default` and null are as long as its run is kept."""

    expires_at: Moment | Literal["default"] | None = Field("default", union_mode="left_to_right")


class WrittenBy(Shape):
    """Who wrote a value of an asset."""

    kind: Literal["task", "api"]
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None

    @classmethod
    def of(cls, writer: Writer | None) -> Self:
        """Return the shape of a writer, None for whoever came over the API."""
        if writer is None:
            return cls(kind="api")
        return cls(
            kind="task",
            dag_id=writer.dag_id,
            run_id=writer.run_id,
            task_id=writer.task_id,
            map_index=writer.map_index,
        )


class AssetStateResponse(Shape):
    """A value that an asset keeps."""

    key: str
    value: JsonValue
    updated_at: datetime
    last_updated_by: WrittenBy | None

    @classmethod
    def of(cls, kept: Kept) -> Self:
        """Return the shape of a value."""
        return cls(key=kept.key, value=kept.value, updated_at=kept.at, last_updated_by=WrittenBy.of(kept.writer))


class AssetStateCollectionResponse(Shape):
    """A page of what an asset keeps."""

    asset_state_store: list[AssetStateResponse]
    total_entries: int
