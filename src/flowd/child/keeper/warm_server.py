"""The fork server of one bundle file: imports it once, then forks a task from itself whenever the keeper asks.

It answers packets, one each: `fork` (with three descriptors) by {"pid"} or {"error"}, `reap <pid>` by the wait status
and usage. The first packet is its own: {"ready": true} or {"refused": why}. At the end of its socket it kills what it
forked, and exits.
"""

import gc
import importlib
import os
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from flowd.child.keeper import linux
from flowd.child.keeper.packets import receive, send
from flowd.child.keeper.task_entry import become_session, read_setup, renew_standard_streams, run_task
from flowd.child.keeper.tree import signal_group

_DAG_FILE_MODULE = "flowd.sdk.dag_file"

_REASON_CHARACTERS = 2000


def fork_server(bundle_file: tuple[str, str], env: Mapping[str, str], keeper_end: socket.socket) -> int:
    """Fork a server that answers on `keeper_end`'s peer; return its pid; raise OSError where the system refuses."""
    pid = os.fork()
    if pid:
        return pid
    try:
        _serve(bundle_file, env, keeper_end)
    finally:
        os._exit(1)


def _serve(bundle_file: tuple[str, str], env: Mapping[str, str], inherited: socket.socket) -> NoReturn:
    null = os.open(os.devnull, os.O_WRONLY)
    keeper = become_session(null, null, inherited.fileno())
    linux.name_process("flowd:warm")
    # Only while user code runs: later the end of the socket is the sign, and tasks outlive a server that crashed.
    linux.die_with_parent()
    renew_standard_streams()
    os.environ.clear()
    os.environ.update(env)
    os.chdir("/")
    refusal = _load(bundle_file)
    if refusal:
        send(keeper, {"refused": refusal})
        os._exit(0)
    changes = _EnvironmentChanges(env)
    gc.collect()
    gc.freeze()
    linux.die_with_parent(False)
    send(keeper, {"ready": True})
    _answer(keeper, changes)


def _load(bundle_file: tuple[str, str]) -> str | None:
    """Import the bundle file; return why this process must not be forked after that, None where it may."""
    try:
        # By name: the keeper starts, and runs scripts, also where the SDK cannot be imported.
        importlib.import_module(_DAG_FILE_MODULE).load(*bundle_file)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:
        return f"the import failed: {error!r}"[:_REASON_CHARACTERS]
    if linux.thread_count() > 1 and not _threads_end_at_fork():
        return "the import left threads running, and a fork would copy the locks they hold"
    return None


def _threads_end_at_fork() -> bool:
    """Say whether fork handlers end the threads, as those of number-crunching libraries (OpenBLAS) do."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return linux.thread_count() == 1


def _answer(keeper: socket.socket, changes: "_EnvironmentChanges") -> NoReturn:
    tasks: set[int] = set()
    while True:
        request, descriptors = receive(keeper)
        if request is None:
            for pid in tasks:
                signal_group(pid, signal.SIGKILL)
            os._exit(0)
        if "reap" in request:
            tasks.discard(request["reap"])
            send(keeper, _reap(request["reap"]))
            continue
        try:
            pid = os.fork()
        except OSError as error:
            send(keeper, {"error": str(error)})
        else:
            if pid == 0:
                _become_task(descriptors, changes)
            tasks.add(pid)
            send(keeper, {"pid": pid})
        for descriptor in descriptors:
            os.close(descriptor)


def _become_task(descriptors: list[int], changes: "_EnvironmentChanges") -> NoReturn:
    try:
        stdout, stderr, inherited = descriptors
        channel = become_session(stdout, stderr, inherited)
        run_task(read_setup(channel), channel, changes.apply)
    finally:
        os._exit(1)


def _reap(pid: int) -> dict[str, Any]:
    try:
        _, status, usage = os.wait4(pid, 0)
    except ChildProcessError as error:
        return {"error": str(error)}
    return {"status": status, "cpu": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss}


class _EnvironmentChanges:
    """What an import did to the environment, to be done again where the environment was replaced."""

    def __init__(self, before: Mapping[str, str]) -> None:
        self._set = {name: value for name, value in os.environ.items() if before.get(name) != value}
        self._removed = [name for name in before if name not in os.environ]

    def apply(self) -> None:
        os.environ.update(self._set)
        for name in self._removed:
            os.environ.pop(name, None)
