"""XComArg: what a task will return, to be given to another task; DagParam: what a run's parameter will be."""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from flowd.domain.errors import InvalidDag
from flowd.domain.ids import TaskId
from flowd.domain.map_length import MapLength, ResultLength
from flowd.sdk.edges import Linkable
from flowd.sdk.exceptions import XComNotFound
from flowd.sdk.mappable import Mappable
from flowd.sdk.resolvable import Resolvable
from flowd.sdk.results import Results
from flowd.sdk.setup_scope import SetupScope

if TYPE_CHECKING:
    from flowd.sdk.base_operator import BaseOperator

RETURN_KEY = "return_value"

_MISSING: Any = object()


class XComArg(Mappable):
    """The XCom `key` of `operator`. `arg["name"]` is another key of the same task."""

    def __init__(self, operator: "BaseOperator", key: str = RETURN_KEY) -> None:
        self.operator = operator
        self.key = key

    @property
    def operators(self) -> "tuple[BaseOperator, ...]":
        """The task that pushes it."""
        return (self.operator,)

    @property
    def map_length(self) -> MapLength:
        """The items of what the task returns, or what its instances do; no other key can be mapped over."""
        if self.key != RETURN_KEY:
            raise InvalidDag(
                f"no task can be mapped over key {self.key!r} of task {self.operator.task_id!r}, only over what a task "
                "returns: return the list from a task of its own"
            )
        return ResultLength(TaskId(self.operator.task_id))

    def items(self, context: Mapping[str, Any]) -> Results:
        """Return the items of the list or dict that was returned, or what the instances of a mapped task returned."""
        return Results(self.operator.task_id, key=self.key, is_mapped=self.operator.is_expanded)

    def as_setup(self) -> Self:
        """Make the task that pushes it a setup."""
        self.operator.as_setup()
        return self

    def as_teardown(self, *, setups: Any = None, on_failure_fail_dagrun: bool | None = None) -> Self:
        """Make the task that pushes it a teardown, of these setups."""
        self.operator.as_teardown(setups=setups, on_failure_fail_dagrun=on_failure_fail_dagrun)
        return self

    def __enter__(self) -> SetupScope:
        return self.operator.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.operator.__exit__(kind, error, trace)

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return the pushed value; a return value that is missing is None, another key raises XComNotFound.

        Of a mapped task it is the sequence of what its instances have pushed; within one mapped group it is the value
        of the instance with the same map index.
        """
        task_id, index = self.operator.task_id, None
        if self.operator.is_expanded:
            group, reader = self.operator.mapped_group, context.get("task")
            if group is None or reader is None or reader.mapped_group is not group:
                return Results(task_id, key=self.key, is_mapped=True)
            index = context["ti"].map_index
        value = context["ti"].xcom_pull(task_ids=task_id, key=self.key, map_indexes=index, default=_MISSING)
        if value is not _MISSING:
            return value
        if self.key == RETURN_KEY or getattr(self.operator, "multiple_outputs", False):
            return None
        raise XComNotFound(f"task {task_id!r} pushed no XCom {self.key!r} in this run; check that it ran and pushes it")

    def __getitem__(self, key: str) -> "XComArg":
        if not isinstance(key, str):
            raise InvalidDag(f"output of task {self.operator.task_id!r}: key {key!r} is not text; index it in a task")
        return XComArg(self.operator, key)

    def __iter__(self) -> Iterator[Any]:
        self._refuse("looped over")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, XComArg):
            return NotImplemented
        return self.operator is other.operator and self.key == other.key

    def __hash__(self) -> int:
        return hash((id(self.operator), self.key))

    def __str__(self) -> str:
        """Return the template that pulls the value, so that an output may be put into a template's text."""
        task_id, dag_id = self.operator.task_id, self.operator.dag_id
        key = "" if self.key == RETURN_KEY else f", key={self.key!r}"
        return f"{{{{ task_instance.xcom_pull(task_ids={task_id!r}, dag_id={dag_id!r}{key}) }}}}"

    def __repr__(self) -> str:
        return f"XComArg({self.operator.task_id!r}, key={self.key!r})"

    def _refuse(self, what: str) -> NoReturn:
        raise InvalidDag(
            f"the output of task {self.operator.task_id!r} was {what} while the DAG is written, when it is not known "
            "yet; do that in a task that takes it as an argument"
        )


class DagParam(Resolvable):
    """The value of the DAG's parameter `name` in a run, or `default` where it was removed."""

    def __init__(self, name: str, default: Any) -> None:
        self.name = name
        self.default = default

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return the run's value."""
        return context["params"].get(self.name, self.default)

    def __str__(self) -> str:
        """Return the template that gives the value."""
        return f"{{{{ params.{self.name} }}}}"

    def __repr__(self) -> str:
        return f"DagParam({self.name!r})"


def operators_in(value: Any) -> "Iterator[BaseOperator]":
    """Yield the operators whose outputs are in `value`, however deep in lists, dicts and template fields."""
    yield from _operators_in(value, set())


def _operators_in(value: Any, seen: set[int]) -> "Iterator[BaseOperator]":
    if isinstance(value, Mappable):
        yield from value.operators
    elif isinstance(value, (str, bytes, int, float)) or id(value) in seen:
        return
    else:
        seen.add(id(value))
        for part in _parts(value):
            yield from _operators_in(part, seen)


def _parts(value: Any) -> "Iterator[Any]":
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from value
    elif not isinstance(value, Linkable):
        for field in getattr(value, "template_fields", ()) or ():
            yield getattr(value, field, None)
