"""The image: pinned bases, no root, a health check, tini in front, and nothing copied that isn't there."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source_file import REPOSITORY

DOCKERFILE = REPOSITORY / "Dockerfile"


def instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction with its arguments, continued lines joined, comments dropped."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines)
    return [
        (word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines()) if word
    ]


def last(text: str, word: str) -> str:
    """The arguments of the last `word` in the final stage, "" where it has none."""
    found = instructions(text)
    stage = max((index for index, (name, _) in enumerate(found) if name == "FROM"), default=0)
    return next((rest for name, rest in reversed(found[stage:]) if name == word), "")


def faults(text: str, context: Path) -> Iterator[str]:
    for name, rest in instructions(text):
        if name == "FROM" and not re.match(r"\S+:(?!latest)\S+", rest):
            yield f"FROM {rest}: name a version"
        if name == "COPY" and not rest.startswith("--from="):
            yield from (f"COPY {path}: no such file" for path in rest.split()[:-1] if not (context / path).exists())
    if last(text, "USER").partition(":")[0] in {"", "root", "0"}:
        yield "USER: the last stage runs as root"
    if "/livez" not in last(text, "HEALTHCHECK"):
        yield "HEALTHCHECK: /livez is not asked"
    if not last(text, "ENTRYPOINT").startswith('["tini"'):
        yield "ENTRYPOINT: tini does not come first"


def test_the_dockerfile_has_no_fault() -> None:
    assert list(faults(DOCKERFILE.read_text(), REPOSITORY)) == []


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")

    report = subprocess.run([str(hadolint), str(DOCKERFILE)], capture_output=True, text=True, check=False)

    assert (report.returncode, report.stdout) == (0, "")


def test_the_health_check_is_python_that_compiles() -> None:
    command = json.loads(last(DOCKERFILE.read_text(), "HEALTHCHECK").partition("CMD ")[2])

    assert command[:2] == ["python", "-c"]
    compile(command[2], "HEALTHCHECK", "exec")


def test_the_ignore_file_lets_through_all_that_is_copied() -> None:
    allowed = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        path
        for name, rest in instructions(DOCKERFILE.read_text())
        if name == "COPY" and not rest.startswith("--from=")
        for path in rest.split()[:-1]
    }

    assert copied == allowed


@pytest.mark.parametrize(
    ("good", "bad", "fault"),
    [
        ("python:3.11", "python:latest", "FROM python:latest: name a version"),
        ("python:3.11", "python", "FROM python: name a version"),
        ("COPY here", "COPY gone", "COPY gone: no such file"),
        ("USER 10001", "USER root", "USER: the last stage runs as root"),
        ("USER 10001", "", "USER: the last stage runs as root"),
        ("/livez", "/", "HEALTHCHECK: /livez is not asked"),
        ('["tini", "--", "flowd"]', '["flowd"]', "ENTRYPOINT: tini does not come first"),
    ],
)
def test_each_fault_is_found(tmp_path: Path, good: str, bad: str, fault: str) -> None:
    (tmp_path / "here").touch()
    dockerfile = (
        "FROM python:3.11\nCOPY here /opt/\nUSER 10001\n"
        'HEALTHCHECK --timeout=3s \\\n    CMD ask /livez\nENTRYPOINT ["tini", "--", "flowd"]\n'
    )
    assert list(faults(dockerfile, tmp_path)) == []

    assert list(faults(dockerfile.replace(good, bad), tmp_path)) == [fault]
