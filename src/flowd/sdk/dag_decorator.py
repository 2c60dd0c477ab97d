"""@dag: a function whose call makes a DAG, and whose arguments become the DAG's parameters."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, overload

from flowd.domain.errors import InvalidDag
from flowd.sdk.dag import DAG


@overload
def dag(dag_id: Callable[..., Any], /) -> Callable[..., DAG]: ...
@overload
def dag(dag_id: str = "", **keywords: Any) -> Callable[[Callable[..., Any]], Callable[..., DAG]]: ...


def dag(dag_id: Any = "", **keywords: Any) -> Any:
    """Make a function a DAG: bare, or with the keywords of DAG. Without a `dag_id` the function's name is taken."""
    if callable(dag_id):
        return _factory(dag_id, {})
    if dag_id:
        keywords["dag_id"] = dag_id
    return functools.partial(_factory, keywords=keywords)


def _factory(function: Callable[..., Any], keywords: dict[str, Any]) -> Callable[..., DAG]:
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise InvalidDag(
                f"@dag {function.__name__!r}: {parameter} cannot be a parameter of a run; name each argument"
            )

    @functools.wraps(function)
    def make(*args: Any, **kwargs: Any) -> DAG:
        bound = signature.bind_partial(*args, **kwargs)
        bound.apply_defaults()
        with DAG(**{"dag_id": function.__name__, "doc_md": function.__doc__, **keywords}) as made:
            made.fileloc = function.__code__.co_filename
            arguments = {}
            for name in signature.parameters:
                known = made.params.get(name)
                arguments[name] = made.param(name, bound.arguments.get(name, known))
            function(**arguments)
        return made

    return make
