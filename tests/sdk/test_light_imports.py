"""What the fork server preloads is light, and the server never imports the authoring code by importing flowd."""

import subprocess
import sys

import pytest

import flowd

HEAVY = {"asyncio", "pydantic", "sqlalchemy", "aiohttp", "pendulum", "fastapi"}


def modules_after(code: str) -> set[str]:
    program = f"{code}; import sys; print(' '.join(sys.modules))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    return set(output.split())


def test_the_authoring_code_imports_nothing_heavy() -> None:
    loaded = modules_after("from flowd import *; import flowd.child.run_task, flowd.child.parse_dags, flowd.compat")

    assert loaded & HEAVY == set()
    assert "flowd.operators.decorators" in loaded


def test_importing_flowd_alone_imports_none_of_it() -> None:
    assert {name for name in modules_after("import flowd") if name.startswith("flowd.")} == set()


def test_every_public_name_is_there() -> None:
    assert [name for name in flowd.__all__ if getattr(flowd, name, None) is None] == []


def test_a_name_that_is_not_there_says_what_is() -> None:
    with pytest.raises(AttributeError, match=r"has no 'Dag'; it offers .*DAG"):
        flowd.Dag  # noqa: B018
