"""Shapes of changes by filter."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from flowd.actions.by_filter import Failure, FilterAction, Found
from flowd.api.errors import status_of
from flowd.api.schemas.base import Body, Shape
from flowd.api.schemas.runs import MutableRunState
from flowd.api.schemas.task_instances import MarkableState

MOST_SHOWN = 100


class ByFilterBody(Body):
    """What is to become of what the filter finds; nothing, where no hash says what was looked at."""

    hash: str | None = Field(None, max_length=64, description="Of the answer without one; else nothing is changed.")


class RunsByFilterBody(ByFilterBody):
    """What is to become of the runs; `state` is for `mark`, `only_failed` for `clear`."""

    action: FilterAction
    state: MutableRunState | None = None
    only_failed: bool = False

    @model_validator(mode="after")
    def _has_state(self) -> Self:
        if (self.action is FilterAction.MARK) != (self.state is not None):
            raise ValueError("a state is wanted of mark, and of nothing else")
        return self


class TaskInstancesByFilterBody(ByFilterBody):
    """What is to become of the task instances; `new_state` is for `mark`."""

    action: Literal[FilterAction.CLEAR, FilterAction.MARK]
    new_state: MarkableState | None = None

    @model_validator(mode="after")
    def _has_state(self) -> Self:
        if (self.action is FilterAction.MARK) != (self.new_state is not None):
            raise ValueError("a new_state is wanted of mark, and of nothing else")
        return self


class FailureResponse(Shape):
    """What was not changed, why, and with which status it would have been answered alone."""

    name: str
    error: str
    status_code: int


class ByFilterResponse(Shape):
    """What the filter finds, in all and by DAG, the first hundred by name; and where it `is_done`, what failed."""

    is_done: bool
    hash: str
    total_entries: int
    by_dag: dict[str, int]
    names: list[str]
    errors: list[FailureResponse]

    @classmethod
    def of(cls, found: Sequence[Found], hash_: str, failures: Sequence[Failure] | None) -> Self:
        """Return the shape of what was found and, unless that is None, of what failed."""
        return cls(
            is_done=failures is not None,
            hash=hash_,
            total_entries=len(found),
            by_dag=dict(sorted(Counter(one.dag_id for one in found).items())),
            names=[one.name for one in found[:MOST_SHOWN]],
            errors=[
                FailureResponse(name=one.name, error=str(one.error), status_code=status_of(one.error))
                for one in failures or ()
            ],
        )
