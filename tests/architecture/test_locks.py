"""The locks pin every dependency by hash and name no host: they install from whatever index the reader has."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.source_file import REPOSITORY

LOCKS = ["requirements.lock", "requirements-run.lock"]
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==\S+")


def host_lines(lock: str) -> list[str]:
    """Lines by which a lock sends its reader somewhere: a URL, a path, an index or another option of pip's."""
    return [line for line in lock.splitlines() if re.search(r"://|index|trusted|find-links|^-|\s@\s", line)]


def unpinned(lock: str) -> list[str]:
    """Requirements without an exact version and at least one sha256."""
    requirements = re.split(r"\n(?=[^\s#])", "\n" + lock)[1:]
    return [text.splitlines()[0] for text in requirements if not PINNED.match(text) or "--hash=sha256:" not in text]


def pins(lock: str) -> set[str]:
    return {str(canonicalize_name(match[1])) for line in lock.splitlines() if (match := PINNED.match(line))}


def wanted(*, tools: bool) -> set[str]:
    """The packages that pyproject.toml names directly."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for name in extras if tools or name != "dev" for line in extras[name])]
    return {str(canonicalize_name(Requirement(line).name)) for line in lines} - {"flowd"}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_host(name: str) -> None:
    assert host_lines((REPOSITORY / name).read_text()) == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_every_package_by_version_and_hash(name: str) -> None:
    assert unpinned((REPOSITORY / name).read_text()) == []


@pytest.mark.parametrize(("name", "tools"), [("requirements.lock", True), ("requirements-run.lock", False)])
def test_a_lock_holds_every_package_that_pyproject_names(name: str, tools: bool) -> None:
    missing = wanted(tools=tools) - pins((REPOSITORY / name).read_text())

    assert missing == set(), "run `make lock`"


def test_both_locks_pin_the_same_versions() -> None:
    everything, image = (
        {line for line in (REPOSITORY / name).read_text().splitlines() if PINNED.match(line)} for name in LOCKS
    )

    assert image <= everything


@pytest.mark.parametrize(
    "line",
    [
        "--index-url elsewhere",
        "--find-links /opt/wheels",
        "--trusted-host wheels.example",
        "flowd @ file:///home/me/flowd",
        "# from index wheels.example",
    ],
)
def test_a_line_that_names_a_place_is_found(line: str) -> None:
    assert host_lines(f"six==1.17.0 \\\n    --hash=sha256:00\n{line}\n") == [line]


def test_a_version_without_a_hash_and_a_range_are_found() -> None:
    lock = "# made by make lock\nsix==1.17.0\nyarl>=1.2 \\\n    --hash=sha256:00\nidna==3.20 \\\n    --hash=sha256:00\n"

    assert unpinned(lock) == ["six==1.17.0", "yarl>=1.2 \\"]
