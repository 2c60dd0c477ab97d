"""What a forked or new Python process does to become a task, and how it ends; no line here returns to the keeper."""

import atexit
import importlib
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Collection
from typing import NoReturn

from flowd.child.channel import Channel
from flowd.child.keeper import linux
from flowd.child.keeper.process_table import name_of_attempt
from flowd.child.keeper.task_setup import TaskSetup

CHANNEL = 3
"""The descriptor of a task's socket to the keeper."""

_DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def become_session(stdout: int, stderr: int, channel: int) -> None:
    """Leave everything of the parent behind in a forked process; the three descriptors become 1, 2 and CHANNEL."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
    _keep_channel_only(channel)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # As in every Python process: Ctrl-C is an exception, and a closed pipe an error instead of a death.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def become_waiting_session(channel: int) -> None:
    """Do what a process does first that was forked from one that has become a session, and waits for its setup."""
    os.setsid()
    _keep_channel_only(channel)


def take_output(stdout: int, stderr: int) -> None:
    """Let the descriptors become 1 and 2."""
    for source, target in ((stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        os.close(source)


def _keep_channel_only(channel: int) -> None:
    os.dup2(channel, CHANNEL, inheritable=False)
    os.closerange(CHANNEL + 1, _DESCRIPTORS)


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


def run_task(setup: TaskSetup, kept_variables: Collection[str] = ()) -> NoReturn:
    """Run the entry and exit: 0 on return, 1 on an exception (its traceback on stderr), else what sys.exit said.

    The environment variables `kept_variables` stay as they are, whatever the setup says.
    """
    code = 1
    try:
        _settle(setup, kept_variables)
        entry = sys.modules.get(setup.entry) or importlib.import_module(setup.entry)
        entry.main(Channel(CHANNEL), setup.payload)
        code = 0
    except SystemExit as exit_request:
        code = _exit_code(exit_request)
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(code)


def _settle(setup: TaskSetup, kept_variables: Collection[str]) -> None:
    linux.name_process(name_of_attempt(setup.attempt_id))
    setup.env.apply(kept_variables)
    os.chdir(setup.cwd)
    limits = setup.limits
    for kind, value in (
        (resource.RLIMIT_AS, limits.address_space_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_NOFILE, limits.open_files),
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
