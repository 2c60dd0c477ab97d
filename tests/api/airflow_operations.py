"""The operations of Airflow's client, as the installed package calls them, and what our reference says of each."""

import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import airflow_client.client.api as api_package

REFERENCE = Path(__file__).parents[2] / "docs/reference/rest-api.md"


class Verdict(StrEnum):
    """What becomes of a call."""

    WORKS = "works"
    EMPTY = "empty"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Documented:
    """A row of the reference's table."""

    name: str
    verdict: Verdict
    why: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A call of the client: the name of its Python method, and the query parameters that it can send."""

    name: str
    query: frozenset[str]


def operations() -> dict[str, Operation]:
    """The calls of the client by method and path."""
    found = {}
    for info in pkgutil.iter_modules(api_package.__path__):
        module = importlib.import_module(f"{api_package.__name__}.{info.name}")
        (kind,) = (one for name, one in vars(module).items() if name.endswith("Api"))
        for name, function in inspect.getmembers(kind, inspect.isfunction):
            if not name.endswith("_serialize"):
                continue
            text = inspect.getsource(function)
            method, path = re.findall(r"(?:method|resource_path)='([^']+)'", text)
            query = frozenset(re.findall(r"_query_params.append\(\('([^']+)'", text))
            found[f"{method} {path}"] = Operation(name.removeprefix("_").removesuffix("_serialize"), query)
    return found


def documented() -> dict[str, Documented]:
    """The rows of the reference, by method and path."""
    rows = re.findall(r"^\| `(\w+ /api/v2\S*)` \| `(\w+)` \| (\w+):? ?(.*?) *\|$", REFERENCE.read_text(), re.MULTILINE)
    return {call: Documented(name, Verdict(verdict), why) for call, name, verdict, why in rows}


def beyond_airflow() -> set[str]:
    """The calls that the reference says are ours alone."""
    section = REFERENCE.read_text().partition("## Beyond Airflow")[2]
    return set(re.findall(r"^- `(\w+ /api/\S+)`", section, re.MULTILINE))


def without_types(call: str) -> str:
    """The call with nothing but braces for its parameters: their names and types are ours."""
    return re.sub(r"\{[^}]*\}", "{}", call)
