"""Shapes of questions to people and of their answers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from pydantic import Field

from flowd.api.schemas.base import Body, Shape
from flowd.api.schemas.task_instances import TaskInstanceHistoryResponse, TaskInstanceResponse
from flowd.db.hitl import Answer, Asked
from flowd.db.views.hitl import HitlView


class HITLUser(Shape):
    """A person who answers."""

    id: str
    name: str

    @classmethod
    def named(cls, name: str | None) -> Self | None:
        """Return the user of this name; None for nobody."""
        return None if name is None else cls(id=name, name=name)


class AnswerHITLBody(Body):
    """An answer."""

    chosen_options: list[str] = Field(min_length=1)
    params_input: dict[str, Any] = Field(default_factory=dict)


class HITLAnswerResponse(Shape):
    """An answer as it was stored."""

    responded_by: HITLUser | None
    responded_at: datetime
    chosen_options: list[str]
    params_input: dict[str, Any]

    @classmethod
    def of(cls, given: Answer) -> Self:
        """Return the shape of an answer."""
        return cls(
            responded_by=HITLUser.named(given.responded_by),
            responded_at=given.responded_at,
            chosen_options=list(given.chosen_options),
            params_input=dict(given.params_input),
        )


class _Detail(Shape):
    options: list[str]
    subject: str
    body: str | None
    defaults: list[str] | None
    multiple: bool
    params: dict[str, Any]
    assigned_users: list[HITLUser]
    created_at: datetime
    responded_by_user: HITLUser | None
    responded_at: datetime | None
    chosen_options: list[str] | None
    params_input: dict[str, Any]
    response_received: bool


class HITLDetailResponse(_Detail):
    """What a task instance asks at its current try."""

    task_instance: TaskInstanceResponse

    @classmethod
    def of(cls, view: HitlView) -> Self:
        """Return the shape of a question."""
        return cls(task_instance=TaskInstanceResponse.of(view.instance), **_fields(view.asked))


class HITLDetailHistoryResponse(_Detail):
    """What one try of a task instance has asked."""

    task_instance: TaskInstanceHistoryResponse

    @classmethod
    def of_try(cls, asked: Asked, task_instance: TaskInstanceHistoryResponse) -> Self:
        """Return the shape of a question of a try."""
        return cls(task_instance=task_instance, **_fields(asked))


class HITLDetailCollectionResponse(Shape):
    """A page of questions."""

    hitl_details: list[HITLDetailResponse]
    total_entries: int


def _fields(asked: Asked) -> dict[str, Any]:
    question, given = asked.question, asked.answer
    return {
        "options": list(question.options),
        "subject": question.subject,
        "body": question.body,
        "defaults": None if question.defaults is None else list(question.defaults),
        "multiple": question.multiple,
        "params": dict(question.params),
        "assigned_users": [_user(one) for one in question.assigned_users],
        "created_at": asked.created_at,
        "responded_by_user": HITLUser.named(given.responded_by if given else None),
        "responded_at": given.responded_at if given else None,
        "chosen_options": list(given.chosen_options) if given else None,
        "params_input": dict(given.params_input) if given else {},
        "response_received": given is not None,
    }


def _user(given: Mapping[str, str]) -> HITLUser:
    return HITLUser(id=given.get("id") or given.get("name", ""), name=given.get("name") or given.get("id", ""))
