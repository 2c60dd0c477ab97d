"""Bulk: many creations, changes and removals of one noun in one request, each answered for itself."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.exceptions import HTTPException

from flowd.api.errors import status_of
from flowd.api.schemas.base import Body, Shape
from flowd.domain.errors import FlowdError

Entity = TypeVar("Entity")


class OnExistence(StrEnum):
    """What becomes of a creation where something of that name exists."""

    FAIL = "fail"
    SKIP = "skip"
    OVERWRITE = "overwrite"


class OnAbsence(StrEnum):
    """What becomes of a change or removal of what does not exist."""

    FAIL = "fail"
    SKIP = "skip"


class CreateAction(Body, Generic[Entity]):
    """These are to be made."""

    action: Literal["create"]
    entities: list[Entity]
    action_on_existence: OnExistence = OnExistence.FAIL


class UpdateAction(Body, Generic[Entity]):
    """These are to be changed: what is given of each, or of that what the mask names."""

    action: Literal["update"]
    entities: list[Entity]
    update_mask: list[str] | None = None
    action_on_non_existence: OnAbsence = OnAbsence.FAIL


class DeleteAction(Body, Generic[Entity]):
    """These are to be removed; each is named, or given as it would be changed."""

    action: Literal["delete"]
    entities: list[str | Entity]
    action_on_non_existence: OnAbsence = OnAbsence.FAIL


class BulkBody(Body, Generic[Entity]):
    """What is to be done, in this order."""

    actions: list[
        Annotated[CreateAction[Entity] | UpdateAction[Entity] | DeleteAction[Entity], Field(discriminator="action")]
    ]


class BulkActionResponse(Shape):
    """What became of the actions of one kind: the names of what was done, and what failed with which status."""

    success: list[str] = Field(default_factory=list)
    errors: list[dict[str, Any]] = Field(default_factory=list)


class BulkResponse(Shape):
    """What became of each kind of action; null where none was asked for."""

    create: BulkActionResponse | None = None
    update: BulkActionResponse | None = None
    delete: BulkActionResponse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun(Generic[Entity]):
    """What can be done to things of one kind. `name` is how a thing is told of, `known` which names there are.

    `replace` makes a thing, or takes the place of one. What is None cannot be done.
    """

    plural: str
    named: Callable[[str], Entity]
    name: Callable[[Entity], str]
    known: Callable[[Sequence[Entity]], Awaitable[set[str]]]
    replace: Callable[[Entity], Awaitable[Any]] | None = None
    update: Callable[[Entity, list[str] | None], Awaitable[Any]]
    delete: Callable[[Entity], Awaitable[Any]] | None = None


async def perform(body: BulkBody[Entity], noun: Noun[Entity]) -> BulkResponse:
    """Do what is asked for, action by action, thing by thing; what fails is told and holds up nothing else.

    An action that meets what it must not, things that exist or that do not, is not begun.
    """
    done: dict[str, BulkActionResponse] = {}
    for action in body.actions:
        answer = done.setdefault(action.action, BulkActionResponse())
        match action:
            case CreateAction():
                await _create(action, noun, answer)
            case UpdateAction():
                await _update(action, noun, answer)
            case DeleteAction():
                await _delete(action, noun, answer)
    return BulkResponse(create=done.get("create"), update=done.get("update"), delete=done.get("delete"))


async def _create(action: CreateAction[Entity], noun: Noun[Entity], answer: BulkActionResponse) -> None:
    if noun.replace is None:
        _fail(answer, 405, f"{noun.plural} cannot be created in bulk")
        return
    known = await noun.known(action.entities)
    if known and action.action_on_existence is OnExistence.FAIL:
        _fail(answer, 409, f"The {noun.plural} {_listed(known)} already exist.")
        return
    skipped = known if action.action_on_existence is OnExistence.SKIP else set()
    wanted = [entity for entity in action.entities if noun.name(entity) not in skipped]
    await _each(wanted, noun.replace, noun, answer)


async def _update(action: UpdateAction[Entity], noun: Noun[Entity], answer: BulkActionResponse) -> None:
    wanted = await _existing(action.entities, action.action_on_non_existence, noun, answer)
    await _each(wanted, lambda entity: noun.update(entity, action.update_mask), noun, answer)


async def _delete(action: DeleteAction[Entity], noun: Noun[Entity], answer: BulkActionResponse) -> None:
    if noun.delete is None:
        _fail(answer, 405, f"{noun.plural} cannot be deleted in bulk")
        return
    entities = [noun.named(entity) if isinstance(entity, str) else entity for entity in action.entities]
    wanted = await _existing(entities, action.action_on_non_existence, noun, answer)
    await _each(wanted, noun.delete, noun, answer)


async def _existing(
    entities: Sequence[Entity], on_absence: OnAbsence, noun: Noun[Entity], answer: BulkActionResponse
) -> list[Entity]:
    known = await noun.known(entities)
    absent = {noun.name(entity) for entity in entities} - known
    if absent and on_absence is OnAbsence.FAIL:
        _fail(answer, 404, f"The {noun.plural} {_listed(absent)} were not found.")
        return []
    return [entity for entity in entities if noun.name(entity) in known]


async def _each(
    entities: Sequence[Entity],
    do: Callable[[Entity], Awaitable[Any]],
    noun: Noun[Entity],
    answer: BulkActionResponse,
) -> None:
    for entity in entities:
        try:
            await do(entity)
        except FlowdError as error:
            _fail(answer, status_of(error), str(error))
        except HTTPException as error:
            _fail(answer, error.status_code, str(error.detail))
        except RequestValidationError as error:
            _fail(answer, 422, "; ".join(problem["msg"] for problem in error.errors()))
        else:
            answer.success.append(noun.name(entity))


def _fail(answer: BulkActionResponse, status: int, message: str) -> None:
    answer.errors.append({"error": message, "status_code": status})


def _listed(names: set[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))
