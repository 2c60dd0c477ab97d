"""Tests of a group run in one process of a parallel run: they share servers, ports or names."""

import os
import subprocess
import sys
from pathlib import Path

GROUPED = """
import os
from pathlib import Path

import pytest


@pytest.mark.xdist_group("servers")
@pytest.mark.parametrize("number", range(6))
def test_one(number: int) -> None:
    Path(f"process-{os.getpid()}").touch()
"""


def test_tests_of_a_group_share_a_process(tmp_path: Path) -> None:
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    # Not this run's own settings: what matters is whether pytest and pytest-xdist agree on what a group is.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-p", "no:randomly", tmp_path],
        check=True,
        cwd=tmp_path,
        env=environ,
        capture_output=True,
    )

    assert len(list(tmp_path.glob("process-*"))) == 1
