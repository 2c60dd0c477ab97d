"""Everything that the API can do, the CLI can do, and the other way round: read off both."""

import dis
import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any

import pytest
import typer
from fastapi import FastAPI
from fastapi.routing import APIRoute

from flowd.cli.lazy import Noun
from flowd.cli.nouns import NOUNS

OPERATION = re.compile(r"(?:GET|POST|PUT|PATCH|DELETE) /\S+")

NO_COMMAND = {
    "GET /livez": "asked by load balancers, of one process; `flowd health` asks how a cluster is",
    "GET /readyz": "as /livez; `flowd health` asks this machine's node",
    "GET /metrics": "read by Prometheus",
    "POST /webhooks/{webhook_name}": "for other systems, which sign what they send; `flowd dags trigger` is for people",
    "GET /api/v2/auth/login": "sends a browser to the page where people log in",
    "GET /api/v2/auth/logout": "sends a browser to the page where people log out",
    "POST /api/v2/dags/{dag_id}/dagRuns/list": "the GET list takes the same filters: it is for clients with long ones",
    "POST /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/list": "as the list of runs",
    "GET /api/v2/connections/enqueue-test": "refuses whatever is asked: connections are tested by the api node",
    "POST /api/v2/connections/enqueue-test": "as the GET",
    "POST /api/v2/connections/defaults": "refuses whatever is asked: there are no default connections",
    "DELETE /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}": "refuses whatever is asked",
    "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/externalLogUrl/{try_number}": (
        "refuses whatever is asked: logs are in no other system"
    ),
}
"""Routes that no command calls, and why."""

NO_ROUTE = {
    "run": "is the node",
    "standalone": "as run",
    "scheduler": "as run",
    "worker": "as run",
    "webserver": "as run",
    "api-server": "as run",
    "kerberos": "as run; once, it writes a file of this machine",
    "dags test": "runs in this process, and touches no cluster",
    "tasks test": "as dags test",
    "lint": "reads files of this machine",
    "db migrate": "makes what an API needs before it can answer",
    "db init": "as db migrate",
    "db check": "as db migrate",
    "db downgrade": "takes away what an API needs",
    "db reset": "as db downgrade",
    "import-airflow": "reads another metastore, and wants the keys of both; no token ever should",
    "db clean": "deletes history, with the metastore's own credentials; no token ever should",
    "variables export": "writes secrets in clear, which the API shows to nobody",
    "variables rotate": "wants the keys, which are where the settings are",
    "connections export": "as variables export",
    "connections rotate": "as variables rotate",
    "webhooks rotate": "as variables rotate",
    "config explain": "says what a setting means, whatever it is",
    "config lint": "is about this machine's settings",
    "logout": "forgets what this machine knows",
    "version": "is this command's own",
}
"""Commands that call no route, and why."""


def commands() -> dict[str, FunctionType]:
    """Every command by what is typed, hidden ones included."""
    found: dict[str, FunctionType] = {}
    for name, noun in NOUNS.items():
        for words, callback in _commands_of(name, noun):
            found[words] = callback
    return found


def _commands_of(name: str, noun: Noun) -> Iterator[tuple[str, FunctionType]]:
    module, _, attribute = noun.target.partition(":")
    command: Any = typer.main.get_command(getattr(importlib.import_module(module), attribute))
    children = getattr(command, "commands", None)
    verbs = {f"{name} {verb}": child for verb, child in children.items()} if children else {name: command}
    for words, one in verbs.items():
        callback = inspect.unwrap(one.callback)
        assert isinstance(callback, FunctionType)
        yield words, callback


def operations_of(function: FunctionType) -> set[str]:
    """The operations that are spelt out in a function, and in the functions and classes of the CLI that it uses."""
    found: set[str] = set()
    seen: set[Any] = set()
    waiting: list[FunctionType] = [function]
    while waiting:
        one = waiting.pop()
        if one in seen or not (one.__module__ or "").startswith("flowd.cli"):
            continue
        seen.add(one)
        for code in _codes(one.__code__):
            found |= {text for text in _texts(code.co_consts) if OPERATION.fullmatch(text)}
            # Globals alone: `row.get` is no use of a command that is called get.
            names = {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
            named = [one.__globals__.get(name) for name in names]
            waiting += [inspect.unwrap(part) for value in named for part in _functions_of(value)]
    return found


def _functions_of(value: object) -> Iterator[FunctionType]:
    if isinstance(value, FunctionType):
        yield value
    elif isinstance(value, type) and value.__module__.startswith("flowd.cli"):
        yield from (part for part in vars(value).values() if isinstance(part, FunctionType))


def _texts(constants: Iterable[object]) -> Iterator[str]:
    for one in constants:
        if isinstance(one, str):
            yield one
        elif isinstance(one, tuple):
            yield from _texts(one)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _codes(const)


def routes(app: FastAPI) -> set[str]:
    """Every route of the API. Pages and Airflow 2's calls are left out: they show and do what these do."""
    return {
        f"{method} {route.path}"
        for route in app.routes
        if isinstance(route, APIRoute) and not (_is_page(route) or route.path.startswith("/api/v1/"))
        for method in route.methods or ()
    }


def _is_page(route: APIRoute) -> bool:
    return route.endpoint.__module__.startswith("flowd.api.dashboard")


def test_every_route_of_the_api_has_a_command_or_a_reason(app: FastAPI) -> None:
    called = {operation for callback in commands().values() for operation in operations_of(callback)}

    assert routes(app) - called == NO_COMMAND.keys()


def test_every_command_speaks_to_routes_that_are_there_or_has_a_reason(app: FastAPI) -> None:
    by_command = {words: operations_of(callback) for words, callback in commands().items()}

    assert {words for words, called in by_command.items() if not called} == NO_ROUTE.keys()
    known = routes(app)
    unknown = {words: called - known for words, called in by_command.items() if called - known}
    assert unknown == {}


def _gets_secretly() -> None:
    _helps()


def _helps() -> list[str]:
    return [operation for operation in ("GET /api/v2/nowhere",)]


_gets_secretly.__module__ = _helps.__module__ = "flowd.cli.made_up"


@pytest.mark.parametrize("function", [_gets_secretly, _helps])
def test_an_operation_is_found_wherever_it_is_spelt(function: FunctionType) -> None:
    assert operations_of(function) == {"GET /api/v2/nowhere"}
