"""StubOperator: the task of an operator that is not installed: it stands in its DAG, and fails when it is run."""

import warnings
from typing import Any

from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.exceptions import MissingProvider, StubWarning
from flowd.sdk.operator_defaults import accepted_keywords
from flowd.sdk.xcom_arg import operators_in


class StubOperator(BaseOperator):
    """An operator of which nothing is known but its name. It takes every keyword, and waits for outputs in them."""

    _missing = ""

    def __init__(self, **kwargs: Any) -> None:
        known = accepted_keywords(BaseOperator)
        self._own = {name: value for name, value in kwargs.items() if name not in known}
        super().__init__(**{name: value for name, value in kwargs.items() if name in known})
        for name, value in self._own.items():
            if not hasattr(self, name):
                setattr(self, name, value)
        if type(self).execute is StubOperator.execute:
            warnings.warn(f"task {self.task_id!r} will fail: {self._missing}", StubWarning, stacklevel=2)

    def execute(self, context: Any) -> Any:
        """Fail, and say which package the task needs; a retry would not help."""
        raise MissingProvider(f"task {self.task_id!r} cannot run: {self._missing}")

    def link_outputs(self) -> None:
        """Make the task wait for every task whose output is in one of its keywords."""
        super().link_outputs()
        for value in self._own.values():
            for upstream in operators_in(value):
                upstream.link_task(self)

    def __getattr__(self, name: str) -> Any:
        # Only what the class lacks comes here. Hooks and their kin are asked for by subclasses within execute.
        if name.startswith("_") or name in ("resolve", "roots", "leaves"):
            raise AttributeError(name)
        raise AttributeError(f"{type(self).__name__} has no {name!r} here: {self._missing}")
