"""dag_names: the DAGs that somebody means who types names and wildcards."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated

import typer

from flowd.cli.client.current import api
from flowd.cli.completion import complete_dag
from flowd.domain.errors import NotFound

_WILD = frozenset("*?[")

DagsArgument = Annotated[
    list[str],
    typer.Argument(metavar="DAG_ID...", help="DAGs; * and ? stand for any letters.", autocompletion=complete_dag),
]


def dag_names(patterns: Sequence[str]) -> list[str]:
    """Return the names, and instead of patterns the DAGs that match; raise NotFound for a pattern that none does."""
    names: dict[str, None] = {}
    for pattern in patterns:
        if not is_wild(pattern):
            names[pattern] = None
            continue
        found = [dag["dag_id"] for dag in api().listed("GET /api/v2/dags", "dags", query=dag_query(pattern))]
        matching = [name for name in found if fnmatchcase(name, pattern)]
        if not matching:
            raise NotFound(f"no DAG's name matches {pattern!r}; `flowd dags list` shows all")
        names.update(dict.fromkeys(matching))
    return list(names)


def is_wild(text: str) -> bool:
    """Return whether the text stands for any number of names."""
    return not _WILD.isdisjoint(text)


def dag_query(pattern: str) -> dict[str, str]:
    """Return the API's filter that lets through at least what matches: it knows no classes of letters."""
    longest = max(pattern.replace("[", "*").replace("]", "*").replace("?", "*").split("*"), key=len)
    return {"dag_id_pattern": longest} if longest else {}
