"""Which of the context a function is given: what its parameters name."""

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

_REMEMBERED = 4096


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """Return the function's signature, which is worked out once; raise as `inspect.signature`.

    A DAG file asks when it makes a task of the function: a process that is forked after that finds it known.
    """
    try:
        hash(function)
    except TypeError:
        return inspect.signature(function)
    return _remembered(function)


def arguments_for(
    function: Callable[..., Any], positional: Collection[Any], offered: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the keywords to call `function` with beside `positional`: those it names, or all where it takes `**any`.

    Values of `offered` are read only where they are given.
    """
    parameters = list(signature_of(function).parameters.values())
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    filled = {p.name for p in [p for p in parameters if p.kind in by_position][: len(positional)]}
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return {name: offered[name] for name in offered if name not in filled}
    by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = [p.name for p in parameters if p.kind in by_name and p.name not in filled]
    return {name: offered[name] for name in named if name in offered}


@lru_cache(_REMEMBERED)
def _remembered(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)
