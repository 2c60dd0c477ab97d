"""What all shapes have in common."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic.config import JsonDict

from flowd.api.storable import is_storable


class Shape(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


def together(*names: str) -> ConfigDict:
    """Return what tells the document that these fields are given all or none."""
    both: JsonDict = {"required": list(names), "properties": {name: {"type": "string"} for name in names}}
    neither: JsonDict = {"properties": {name: {"type": "null"} for name in names}}
    return ConfigDict(json_schema_extra={"anyOf": [both, neither]})


class Body(BaseModel):
    """A request's body: unknown fields are refused (422)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _can_be_stored(cls, given: Any) -> Any:
        if not is_storable(given):
            raise ValueError("text must not hold NUL characters or halves of surrogate pairs")
        return given


def in_utc(moment: datetime) -> datetime:
    """Return the moment in UTC, which it is where it has no time zone; raise ValueError where UTC has no such year."""
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the moment lies outside of the years 1 to 9999 in UTC") from error


Moment = Annotated[datetime, AfterValidator(in_utc)]
"""A moment in a body; one without a time zone is UTC, as in Airflow."""


def as_uuid(key: int) -> UUID:
    """Return the metastore's key as the UUID that Airflow's clients want; the same key gives the same UUID for ever."""
    return UUID(int=key)
