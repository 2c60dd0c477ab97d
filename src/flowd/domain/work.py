"""What there is to do for one try of a task: the part of a task that travels to a worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never


@dataclass(frozen=True, slots=True, kw_only=True)
class BashWork:
    """A script that `bash -c` runs as it stands: no template, no callback, nothing that needs the DAG's Python.

    `env` adds to the worker's environment when `append_env`, and replaces all but PATH, HOME and LANG when not.
    `skip_exit_codes` end the task as skipped. `push_last_line` stores the last line of stdout as `return_value`.
    """

    script: str
    env: Mapping[str, str] | None = None
    append_env: bool = False
    cwd: str | None = None
    skip_exit_codes: tuple[int, ...] = (99,)
    push_last_line: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonWork:
    """An operator of the run's bundle: `file` (a relative path) defines the DAG, `callable` is a name for people."""

    file: str
    callable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoWork:
    """Nothing to execute: the scheduler itself makes such a task a success."""


Work = BashWork | PythonWork | NoWork


def work_to_json(work: Work) -> dict[str, Any]:
    """Return `work` as JSON values with its `kind`; fields at their default are left out."""
    match work:
        case BashWork():
            document: dict[str, Any] = {"kind": "bash", "script": work.script}
            if work.env is not None:
                document["env"] = dict(work.env)
            if work.append_env:
                document["append_env"] = True
            if work.cwd is not None:
                document["cwd"] = work.cwd
            if work.skip_exit_codes != (99,):
                document["skip_exit_codes"] = list(work.skip_exit_codes)
            if not work.push_last_line:
                document["push_last_line"] = False
            return document
        case PythonWork():
            return {"kind": "python", "file": work.file, "callable": work.callable}
        case NoWork():
            return {"kind": "none"}
        case _:
            assert_never(work)


def work_from_json(document: Mapping[str, Any]) -> Work:
    """Return the work that `work_to_json` wrote; raise ValueError for an unknown kind, KeyError for a missing field."""
    match document["kind"]:
        case "bash":
            return BashWork(
                script=document["script"],
                env=document.get("env"),
                append_env=document.get("append_env", False),
                cwd=document.get("cwd"),
                skip_exit_codes=tuple(document.get("skip_exit_codes", (99,))),
                push_last_line=document.get("push_last_line", True),
            )
        case "python":
            return PythonWork(file=document["file"], callable=document["callable"])
        case "none":
            return NoWork()
        case kind:
            raise ValueError(f"unknown kind of work {kind!r}; wanted bash, python or none")
