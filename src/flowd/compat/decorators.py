"""`airflow.utils.decorators`."""

from collections.abc import Callable
from typing import Any


def apply_defaults(init: Callable[..., Any]) -> Callable[..., Any]:
    """Return `init` as it is: every operator takes its default_args without being told."""
    return init
