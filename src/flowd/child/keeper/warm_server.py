"""The fork server of one bundle file: imports it once, then forks a task from itself whenever the keeper asks.

It answers packets, one each: `fork ahead|now` (with the far end of a channel) by {"pid"} or {"error"}, `reap <pid>` by
the wait status and usage. The first packet is its own: {"ready": true} or {"refused": why}. What it forked waits on its
channel to be told what task to become; forked `ahead`, it rehearses first. At the end of its socket the server kills
what it forked, and exits.
"""

import gc
import importlib
import os
import signal
import socket
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from flowd.child.keeper import linux
from flowd.child.keeper.environment_change import EnvironmentChange
from flowd.child.keeper.packets import receive, send
from flowd.child.keeper.task_entry import (
    CHANNEL,
    become_session,
    become_waiting_session,
    renew_standard_streams,
    run_task,
    take_output,
)
from flowd.child.keeper.task_setup import receive_setup
from flowd.child.keeper.tree import signal_group

if TYPE_CHECKING:
    from flowd.child.rehearsal import Rehearsal

_DAG_FILE_MODULE = "flowd.sdk.dag_file"
_REHEARSAL_MODULE = "flowd.child.rehearsal"

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
    become_session(null, null, inherited.fileno())
    keeper = socket.socket(fileno=CHANNEL)
    linux.name_process("flowd:warm")
    # Only while user code runs: later the end of the socket is the sign, and tasks outlive a server that crashed.
    linux.die_with_parent()
    renew_standard_streams()
    EnvironmentChange.between(os.environ, env).apply()
    os.chdir("/")
    ready = _load(bundle_file)
    if isinstance(ready, str):
        send(keeper, {"refused": ready})
        os._exit(0)
    imported = EnvironmentChange.between(env, os.environ)
    gc.collect()
    gc.freeze()
    linux.die_with_parent(False)
    send(keeper, {"ready": True})
    _answer(keeper, _Forker(ready, imported.names))


def _load(bundle_file: tuple[str, str]) -> "str | Rehearsal":
    """Import the bundle file and rehearse; return why this process must not be forked after that, where it must not."""
    try:
        # By name: the keeper starts, and runs scripts, also where the SDK cannot be imported.
        importlib.import_module(_DAG_FILE_MODULE).load(*bundle_file)
        sys.stdout.flush()
        sys.stderr.flush()
        _renew_streams_for_pipes()
        rehearsal: Rehearsal = importlib.import_module(_REHEARSAL_MODULE).Rehearsal()
        rehearsal.play()
    except BaseException as error:
        return f"the import failed: {error!r}"[:_REASON_CHARACTERS]
    if linux.thread_count() > 1 and not _threads_end_at_fork():
        return "the import left threads running, and a fork would copy the locks they hold"
    return rehearsal


def _renew_streams_for_pipes() -> None:
    """Give Python the streams that its tasks will have, whose output goes to pipes: objects know what they write to."""
    read, write = os.pipe()
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(write, descriptor)
    renew_standard_streams()
    for descriptor in (1, 2):
        os.dup2(null, descriptor)
    for descriptor in (read, write, null):
        os.close(descriptor)


def _threads_end_at_fork() -> bool:
    """Say whether fork handlers end the threads, as those of number-crunching libraries (OpenBLAS) do."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return linux.thread_count() == 1


@dataclass(frozen=True, slots=True)
class _Forker:
    """Forks processes that wait to become tasks. The variables in `imported` were set or removed by the import."""

    rehearsal: "Rehearsal"
    imported: Collection[str]

    def fork(self, channel: int, is_ahead: bool) -> int:
        """Fork one that waits on `channel`; one that `is_ahead` of its task rehearses. Raise OSError where refused."""
        pid = os.fork()
        if pid:
            return pid
        try:
            become_waiting_session(channel)
            if is_ahead:
                # So the pages that its task will write to are copied before there is a task.
                self.rehearsal.play(1)
            setup, output = receive_setup(CHANNEL)
            take_output(*output)
            # What an import did to the environment is part of what it did: the setup must not undo it.
            run_task(setup, self.imported)
        finally:
            os._exit(1)


def _answer(keeper: socket.socket, forker: _Forker) -> NoReturn:
    tasks: set[int] = set()
    with suppress(BrokenPipeError, ConnectionResetError):
        # A keeper may also be gone in the moment in which it is answered.
        while _answer_one(keeper, tasks, forker):
            pass
    for pid in tasks:
        signal_group(pid, signal.SIGKILL)
    os._exit(0)


def _answer_one(keeper: socket.socket, tasks: set[int], forker: _Forker) -> bool:
    """Do what the next request asks; False at the end of the socket."""
    request, descriptors = receive(keeper)
    if request is None:
        return False
    if "reap" in request:
        tasks.discard(request["reap"])
        send(keeper, _reap(request["reap"]))
        return True
    try:
        pid = forker.fork(descriptors[0], request["fork"] == "ahead")
    except OSError as error:
        send(keeper, {"error": str(error)})
    else:
        tasks.add(pid)
        send(keeper, {"pid": pid})
    for descriptor in descriptors:
        os.close(descriptor)
    return True


def _reap(pid: int) -> dict[str, Any]:
    try:
        _, status, usage = os.wait4(pid, 0)
    except ChildProcessError as error:
        return {"error": str(error)}
    return {"status": status, "cpu": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss}
