"""Roles of tasks: what a task is as a setup or teardown of others, and `with` blocks between the two."""

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from flowd.domain.errors import InvalidDag
from flowd.domain.trigger_rules import TriggerRule
from flowd.sdk.edges import each_linkable
from flowd.sdk.setup_scope import SetupScope, enter_scope, leave_scope
from flowd.sdk.task_node import TaskNode


class TaskWithRole(TaskNode):
    """A task that can be made a setup or a teardown, and then stand before the colon of a `with` block."""

    trigger_rule: str
    _is_setup = False
    _is_teardown = False
    _on_failure_fail_dagrun = False

    def as_setup(self) -> Self:
        """Make this a setup: what it prepares is there for the tasks behind it, and it is cleared along with them."""
        self.is_setup = True
        return self

    def as_teardown(self, *, setups: Any = None, on_failure_fail_dagrun: bool | None = None) -> Self:
        """Make this a teardown: it runs once what is before it has ended, however, if one of its setups succeeded.

        `setups` are made setups of it. Its failure fails no run, unless `on_failure_fail_dagrun`.
        """
        self.is_teardown = True
        self.trigger_rule = TriggerRule.ALL_DONE_SETUP_SUCCESS
        if on_failure_fail_dagrun is not None:
            self.on_failure_fail_dagrun = on_failure_fail_dagrun
        for thing in () if setups is None else each_linkable(list(_listed(setups))):
            for setup in thing.leaves:
                setup._as_operator().is_setup = True
            thing.set_downstream(self)
        return self

    @property
    def is_setup(self) -> bool:
        """True for a setup."""
        return self._is_setup

    @is_setup.setter
    def is_setup(self, value: bool) -> None:
        if value and self._is_teardown:
            raise InvalidDag(f"task {self.task_id!r} is a teardown, and cannot be a setup too")
        self._is_setup = value

    @property
    def is_teardown(self) -> bool:
        """True for a teardown."""
        return self._is_teardown

    @is_teardown.setter
    def is_teardown(self, value: bool) -> None:
        if value and self._is_setup:
            raise InvalidDag(f"task {self.task_id!r} is a setup, and cannot be a teardown too")
        self._is_teardown = value

    @property
    def on_failure_fail_dagrun(self) -> bool:
        """True for a teardown whose failure fails the run."""
        return self._on_failure_fail_dagrun

    @on_failure_fail_dagrun.setter
    def on_failure_fail_dagrun(self, value: bool) -> None:
        if value and not self._is_teardown:
            raise InvalidDag(
                f"task {self.task_id!r} is no teardown: on_failure_fail_dagrun is for teardowns, any other task that "
                "fails and that nothing follows fails its run anyway"
            )
        self._on_failure_fail_dagrun = value

    def __enter__(self) -> SetupScope:
        if not (self._is_setup or self._is_teardown):
            raise InvalidDag(
                f"task {self.task_id!r} stands before a `with` block and is neither setup nor teardown; write "
                "`with setup >> teardown:` after as_setup() and as_teardown()"
            )
        setups = [task for task in self.upstream_list if task.is_setup] if self._is_teardown else [self]
        teardowns = [task for task in self.downstream_list if task.is_teardown] if self._is_setup else [self]
        return enter_scope(SetupScope(setups, teardowns))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave_scope(is_complete=error is None)


def _listed(setups: Any) -> Iterable[Any]:
    return setups if isinstance(setups, (list, tuple, set)) else [setups]
