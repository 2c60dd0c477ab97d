"""What `make run` does: every example DAG is green, the address comes last, and a signal drains the node."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from bench.cluster.free_port import free_port
from tests.examples.loading import FILES, ROOT, dag_of
from tests.support.node_process import eventually
from tests.support.pace import at_pace

SCRIPT = ROOT / "scripts" / "first_minute"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def started(home: Path, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("FLOWD", "AIRFLOW"))}
    environ |= {"FLOWD_HOME": str(home), "FLOWD__API__PORT": str(free_port())}
    with (tmp_path / "printed").open("wb") as printed:
        process = subprocess.Popen([sys.executable, SCRIPT], env=environ, stdout=printed, stderr=subprocess.STDOUT)
    yield process
    if process.poll() is None:
        process.terminate()
        process.wait(30)


def test_the_first_minute_ends_with_green_runs_and_a_login_link(
    started: "subprocess.Popen[bytes]", home: Path, tmp_path: Path
) -> None:
    def lines() -> list[str]:
        return (tmp_path / "printed").read_text().splitlines()

    eventually(lambda: started.poll() is not None or "/login?token=" in "".join(lines()), "the login link", at_pace(40))

    rows = [line.split() for line in lines() if line.endswith(tuple("0123456789")) and "/" not in line]
    assert [(row[0], row[1]) for row in rows] == [(dag_of(file).dag_id, "success") for file in FILES]
    link = lines()[-1].split()[-1]
    assert httpx.get(link).status_code == 200
    assert "/login?token=" not in (home / "node.log").read_text()

    results = home / "examples"
    assert sorted(path.suffix for path in results.glob("pla*")) == [".db", ".svg"]
    with closing(sqlite3.connect(results / "planets.db")) as database:
        assert database.execute("SELECT count(*) FROM position").fetchone() == (8 * 24,)
    (listing,) = results.glob("packages-*.md")
    assert "the largest is " in listing.read_text()
    (census,) = results.glob("census-2*.txt")
    assert " modules, " in census.read_text()
    assert "open_library try 1" in (results / "census-journal.txt").read_text()

    started.send_signal(signal.SIGINT)
    assert started.wait(at_pace(30)) == 0


def test_a_node_that_cannot_start_says_why_and_gives_its_exit_code(home: Path) -> None:
    environ = {**os.environ, "FLOWD_HOME": str(home), "FLOWD__WORKER__LEASE": "soon"}

    ended = subprocess.run([sys.executable, SCRIPT], env=environ, capture_output=True, text=True, timeout=300)

    assert ended.returncode == 78
    assert "FLOWD__WORKER__LEASE" in ended.stderr
