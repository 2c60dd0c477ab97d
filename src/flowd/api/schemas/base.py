"""What all shapes have in common."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from flowd.api.storable import is_storable


class Shape(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


class Body(BaseModel):
    """A request's body: unknown fields are refused (422)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _can_be_stored(cls, given: Any) -> Any:
        if not is_storable(given):
            raise ValueError("text must not hold NUL characters or halves of surrogate pairs")
        return given


def _aware(moment: datetime) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_aware)]
"""A moment in a body; one without a time zone is UTC, as in Airflow."""


def as_uuid(key: int) -> UUID:
    """Return the metastore's key as the UUID that Airflow's clients want; the same key gives the same UUID for ever."""
    return UUID(int=key)
