"""Airflow 2's own client, unchanged, against a real node: the calls that scripts make most."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import ADMIN_PASSWORD

SCRIPT = Path(__file__).parent / "airflow2_script.py"
CLIENT = "apache-airflow-client==2.10.0"


@pytest.fixture
def client_2(tmp_path: Path) -> Path:
    """A folder with the client of Airflow 2; what it needs itself is what that of Airflow 3 needs."""
    folder = tmp_path / "client"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), CLIENT]
    subprocess.run(command, check=True, timeout=120)
    return folder


@pytest.mark.timeout(600)
def test_a_script_written_for_airflow_2_works_unchanged(make_node: MakeNode, client_2: Path) -> None:
    node = make_node("alone")

    ran = subprocess.run(
        [sys.executable, str(SCRIPT), node.url, ADMIN_PASSWORD],
        env={**os.environ, "PYTHONPATH": str(client_2)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.endswith("all of it works\n")
