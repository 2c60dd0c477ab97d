"""NOTSET: the default of a keyword for which None means something."""

from typing import Any, Final


class ArgNotSet:
    """The type of NOTSET, for annotations."""

    def __repr__(self) -> str:
        return "NOTSET"

    def __bool__(self) -> bool:
        return False


class SetDuringExecution(ArgNotSet):
    """The type of SET_DURING_EXECUTION."""

    @staticmethod
    def serialize() -> str:
        """Return what pages show for the value."""
        return "DYNAMIC (set during execution)"


NOTSET: Final = ArgNotSet()
"""No argument was given."""

SET_DURING_EXECUTION: Final = SetDuringExecution()
"""The argument is known only when the task runs."""


def is_arg_set(value: Any) -> bool:
    """Return True where the argument was given."""
    return not isinstance(value, ArgNotSet)
