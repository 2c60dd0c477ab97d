"""Launch and Ended: what the keeper is asked to run, and what it answers when that is over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Run `bash -c script`, directly under the keeper."""

    script: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Call `entry.main(channel, payload)` in a Python process.

    `entry` is a module of flowd.child. `warm` names a bundle file (absolute folder, relative path) that may be imported
    ahead of time in a fork server; None always forks the bare keeper. `fresh` starts a new interpreter instead.
    """

    entry: str
    payload: Mapping[str, Any]
    warm: tuple[str, str] | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds set with setrlimit on the process: address space in bytes, CPU in seconds, open files."""

    address_space_bytes: int | None = None
    cpu_seconds: int | None = None
    open_files: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One process tree to start.

    `env` is the whole environment. `cwd` None gives an empty folder of its own, removed at the end. `log` is the file
    that stdout and stderr are appended to, each line behind its time and stream; `log_limit_bytes` ends it with a
    truncation marker. `timeout_seconds` is wall time. `fence_at_ns` (CLOCK_MONOTONIC) is when the tree must be dead
    whatever the node does; None is never. `grace_seconds` lie between SIGTERM and SIGKILL. `mark` is the value of
    FLOWD_CLAIM_TOKEN in `env`, by which descendants that left the session are recognised and killed.
    """

    program: Script | Call
    env: Mapping[str, str]
    log: str
    cwd: str | None = None
    timeout_seconds: float | None = None
    fence_at_ns: int | None = None
    grace_seconds: float = 10.0
    log_limit_bytes: int = 1024 * 1024 * 1024
    limits: Limits = field(default_factory=Limits)
    mark: str = ""


class EndedBy(StrEnum):
    """What ended a process tree."""

    EXIT = "exit"
    TIMEOUT = "timeout"
    CANCEL = "cancel"
    FENCE = "fence"
    NOT_STARTED = "not_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process tree ended: `exit_code` (None where a signal killed it or it never started), `signal`, the CPU
    seconds and peak RSS in bytes of the process and the children it waited for, the last line of stdout that was not
    empty, the document its `result` frame carried, and whether output was lost to a full disk or the log limit."""

    by: EndedBy
    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0
    last_line: str | None = None
    result: Mapping[str, Any] | None = None
    log_truncated: bool = False
    error: str | None = None
