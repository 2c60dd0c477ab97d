"""The command line in this process, with a home of its own."""

import io
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI

from flowd.cli.main import main
from flowd.db.metastore import Metastore
from tests.api.cluster import a_cluster


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
async def app(sqlite_metastore: Metastore, tmp_path: Path) -> AsyncIterator[FastAPI]:
    """The app of an api role."""
    async with a_cluster(sqlite_metastore, tmp_path) as cluster:
        yield cluster.app


Flowd = Callable[..., Outcome]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that does not exist yet, in an environment that sets nothing else."""
    for name in [name for name in os.environ if name.startswith("FLOWD")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FLOWD_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def keys(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # after `home`, which unsets them
    """Those that whoever shares a server must have."""
    monkeypatch.setenv("FLOWD__SECURITY__SECRET_KEY", "a secret of thirty-two characters")
    monkeypatch.setenv("FLOWD__SECURITY__FERNET_KEY", "A" * 43 + "=")


@pytest.fixture
def flowd(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Flowd:
    """Call it with the arguments of a command, and with `stdin` where the command reads that."""

    def run(*arguments: str, stdin: str = "") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), out, err)

    return run
