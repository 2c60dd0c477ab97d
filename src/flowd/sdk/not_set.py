"""NOTSET: the default of a keyword for which None means something."""

from typing import Final


class ArgNotSet:
    """The type of NOTSET, for annotations."""

    def __repr__(self) -> str:
        return "NOTSET"

    def __bool__(self) -> bool:
        return False


NOTSET: Final = ArgNotSet()
"""No argument was given."""
