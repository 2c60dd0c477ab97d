"""What a forked or new Python process does to become a task, and how it ends; no line here returns to the keeper."""

import atexit
import importlib
import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from flowd.child.channel import Channel
from flowd.child.frames import Decoder, encode
from flowd.child.keeper import linux
from flowd.child.keeper.process_table import name_of_attempt
from flowd.child.launch import Limits

_CHANNEL_FD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSetup:
    """What a Python process needs to know to become a task: `entry.main(channel, payload)` in its surroundings."""

    attempt_id: int
    entry: str
    payload: Mapping[str, Any]
    env: Mapping[str, str]
    cwd: str
    limits: Limits

    def to_bytes(self) -> bytes:
        """Return the frame by which the keeper hands this to a process that it did not fork itself."""
        return encode(asdict(self))


def read_setup(channel: socket.socket) -> TaskSetup:
    """Read the frame of TaskSetup.to_bytes() and not a byte more; exit where the keeper went away instead."""
    size = _read_exactly(channel, 4)
    (document,) = Decoder().feed(size + _read_exactly(channel, int.from_bytes(size)))
    return TaskSetup(**{**document, "limits": Limits(**document["limits"])})


def become_session(stdout: int, stderr: int, channel: int) -> socket.socket:
    """Leave everything of the parent behind in a forked process but the three descriptors; return the channel."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.dup2(channel, _CHANNEL_FD, inheritable=False)
    os.closerange(_CHANNEL_FD + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # As in every Python process: Ctrl-C is an exception, and a closed pipe an error instead of a death.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return socket.socket(fileno=_CHANNEL_FD)


def die_with_keeper(keeper_pid: int) -> None:
    """Let this child of the keeper be killed at the keeper's death; die now where that was before."""
    linux.die_with_parent()
    if os.getppid() != keeper_pid:
        os._exit(1)


def renew_standard_streams() -> None:
    """Give Python new stdout and stderr on descriptors 1 and 2: by lines, UTF-8, and never failing on a character."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        stream = open(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def run_task(setup: TaskSetup, channel: socket.socket, adapt: Callable[[], None] | None = None) -> NoReturn:
    """Run the entry and exit: 0 on return, 1 on an exception (its traceback on stderr), else what sys.exit said.

    `adapt` runs after the environment is in place and before the entry.
    """
    renew_standard_streams()
    code = 1
    try:
        _settle(setup)
        if adapt is not None:
            adapt()
        importlib.import_module(setup.entry).main(Channel(channel), setup.payload)
        code = 0
    except SystemExit as exit_request:
        code = _exit_code(exit_request)
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(code)


def _settle(setup: TaskSetup) -> None:
    linux.name_process(name_of_attempt(setup.attempt_id))
    os.environ.clear()
    os.environ.update(setup.env)
    time.tzset()
    os.chdir(setup.cwd)
    for kind, value in (
        (resource.RLIMIT_AS, setup.limits.address_space_bytes),
        (resource.RLIMIT_CPU, setup.limits.cpu_seconds),
        (resource.RLIMIT_NOFILE, setup.limits.open_files),
    ):
        if value is not None:
            resource.setrlimit(kind, (value, value))


def _exit_code(request: SystemExit) -> int:
    match request.code:
        case None:
            return 0
        case int(code):
            return code & 0xFF
        case message:
            sys.stderr.write(f"{message}\n")
            return 1


def _leave(code: int) -> NoReturn:
    """End as an interpreter would, but without unwinding the stack, below which lies the keeper's own work.

    Threads are waited for and atexit functions run, also those registered before the fork: they belong to libraries
    (logging flushes, pools end), and the keeper registers none.
    """
    try:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):
                code = code or 1
        os._exit(code)


def _read_exactly(channel: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = channel.recv(size - len(received))
        if not part:
            os._exit(1)
        received += part
    return bytes(received)
