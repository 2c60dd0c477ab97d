"""VenvRecipe: what a virtual environment is made of; made with the standard library's venv and pip, or kept."""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from flowd.sdk.exceptions import AirflowException

log = logging.getLogger(__name__)

_COMPLETE = "flowd-complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenvRecipe:
    """`index_urls` None leaves pip its own choice; empty allows no index at all."""

    python: str
    requirements: tuple[str, ...]
    has_system_packages: bool
    pip_options: tuple[str, ...]
    index_urls: tuple[str, ...] | None

    @property
    def key(self) -> str:
        """A name that only the same recipe has."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


def make_venv(recipe: VenvRecipe, folder: Path) -> str:
    """Make the environment in `folder` and return its interpreter; raise AirflowException where that fails."""
    options = ["--system-site-packages"] if recipe.has_system_packages else []
    # pip itself takes seconds to install, and nothing needs it where nothing is to be installed.
    options += [] if recipe.requirements else ["--without-pip"]
    _run([recipe.python, "-m", "venv", *options, str(folder)], "the virtual environment cannot be made")
    python = str(folder / "bin" / "python")
    if recipe.requirements:
        _write_pip_conf(recipe, folder / "pip.conf")
        listed = folder / "requirements.txt"
        listed.write_text("\n".join(recipe.requirements) + "\n", encoding="utf-8")
        _run(
            [python, "-m", "pip", "install", "--disable-pip-version-check", *recipe.pip_options, "-r", str(listed)],
            f"pip could not install {', '.join(recipe.requirements)}",
        )
    return python


def cached_venv(recipe: VenvRecipe, cache: Path) -> str:
    """Return the interpreter of the environment in `cache` that this recipe has made, made now where there is none.

    Of several tasks that need it at once one makes it, and the others wait. One that was left half made is made anew.
    """
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"venv-{recipe.key}"
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / _COMPLETE).exists():
            log.info("using the virtual environment %s", folder)
            return str(folder / "bin" / "python")
        shutil.rmtree(folder, ignore_errors=True)
        python = make_venv(recipe, folder)
        (folder / _COMPLETE).touch()
        return python


def _write_pip_conf(recipe: VenvRecipe, path: Path) -> None:
    """Tell pip of its indexes in a file: on a command line everybody could read their passwords."""
    if recipe.index_urls is None:
        return
    lines = ["[global]"]
    if not recipe.index_urls:
        lines.append("no-index = true")
    else:
        first, *others = recipe.index_urls
        lines.append(f"index-url = {first}")
        lines += [f"extra-index-url = {' '.join(others)}"] if others else []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def _run(command: Sequence[str], failure: str) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, text=True, check=False)
    sys.stdout.write(done.stdout)
    if done.returncode:
        last = next((line for line in reversed(done.stdout.splitlines()) if line.strip()), "")
        raise AirflowException(f"{failure}: exit code {done.returncode}: {last}")
