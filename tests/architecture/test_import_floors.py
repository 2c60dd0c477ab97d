"""`.importlinter` holds the floors; `make lint` runs it over src. Here it meets a tree that breaks every contract."""

import os
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

from tests.architecture.source_file import REPOSITORY

CONTRACTS = REPOSITORY / ".importlinter"

# One wrong import for each contract, by the contract's name.
WRONG = {
    "floors": ("domain/states.py", "import flowd.db.engine"),
    "no-user-code": ("actions/trigger_run.py", "import flowd.sdk.dag"),
    "sqlalchemy": ("roles/scheduler.py", "import sqlalchemy.ext.asyncio"),
    "aio-pika": ("queue/database.py", "import aio_pika"),
    "aioboto3": ("queue/amqp.py", "import aioboto3"),
    "opentelemetry": ("roles/worker.py", "import opentelemetry"),
    "fastapi": ("cli/run.py", "import fastapi"),
    "apscheduler": ("db/pruner.py", "import apscheduler"),
    "typer": ("api/app.py", "import typer"),
    "settings": ("sdk/dag.py", "import flowd.settings"),
}
RIGHT = {
    "settings.py": "import pydantic_settings",
    "db/engine.py": "import sqlalchemy",
    "queue/sqs.py": "import aioboto3",
    "tracing.py": "import opentelemetry",
    "child/run_task.py": "import flowd.sdk.dag",
    "actions/pause_dag.py": "import flowd.db.engine",
}
PACKAGES = ("cli", "api", "roles", "actions", "db", "queue", "child", "compat", "operators", "sdk", "domain")


def contract_names() -> dict[str, str]:
    """Contract id -> the name that the report shows."""
    parser = ConfigParser()
    parser.read(CONTRACTS)
    prefix = "importlinter:contract:"
    return {
        section.removeprefix(prefix): parser[section]["name"]
        for section in parser.sections()
        if section.startswith(prefix)
    }


def broken_contracts(root: Path, files: dict[str, str]) -> set[str]:
    """The names of the contracts that the package `flowd`, made of `files` under `root`, breaks."""
    for package in ("", *PACKAGES):
        (root / "flowd" / package).mkdir(parents=True, exist_ok=True)
        (root / "flowd" / package / "__init__.py").touch()
    for path, text in files.items():
        (root / "flowd" / path).write_text(text + "\n")
    report = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--config", str(CONTRACTS), "--no-cache"],
        env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200", "NO_COLOR": "1"},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert "Contracts:" in report, report
    return {name.strip() for name in re.findall(r"^(.*) BROKEN\b.*$", report, re.MULTILINE)}


def test_a_tree_that_keeps_the_floors_breaks_no_contract(tmp_path: Path) -> None:
    assert broken_contracts(tmp_path, RIGHT) == set()


def test_every_contract_can_be_broken(tmp_path: Path) -> None:
    assert contract_names().keys() == WRONG.keys()

    broken = broken_contracts(tmp_path, {**RIGHT, **dict(WRONG.values())})

    assert broken == set(contract_names().values())
