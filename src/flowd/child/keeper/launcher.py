"""Launcher: starts the main process of an attempt in the way its program asks for."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from flowd.child.keeper.exit_status import Exit, from_answer, reap_own
from flowd.child.keeper.fork_call import fork_task
from flowd.child.keeper.fork_server import Answer, ForkServer
from flowd.child.keeper.fresh import startup_code
from flowd.child.keeper.launch_script import spawn_python, spawn_script
from flowd.child.keeper.task_entry import TaskSetup
from flowd.child.keeper.warm import WarmPool
from flowd.child.launch import Call, Launch, Script


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to start, where, and the ends of the pipes for its output (closed by who ordered, once it is started)."""

    attempt_id: int
    launch: Launch
    folder: str
    stdout: int
    stderr: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MainProcess:
    """A started process: its channel's near end and what must be sent there first, and the server that forked it."""

    pid: int
    channel: socket.socket | None = None
    first_bytes: bytes = b""
    server: ForkServer | None = None

    def reap(self, on_exit: Callable[[Exit], None]) -> None:
        """Reap the ended process, by its parent: the keeper, or the fork server while that lives."""
        if self.server is None:
            on_exit(reap_own(self.pid))
            return
        server = self.server
        server.release()
        if server.is_gone:
            on_exit(reap_own(self.pid))
            return

        def answered(answer: Answer | None) -> None:
            on_exit(reap_own(self.pid) if answer is None else from_answer(answer))

        server.reap(self.pid, answered)


class Launcher:
    """Starts scripts, and calls: bare, warm or fresh."""

    def __init__(self, pool: WarmPool) -> None:
        self._pool = pool

    def start(self, order: Order, on_started: Callable[[MainProcess], None], on_failed: Callable[[str], None]) -> None:
        """Start the order's program and tell, at once or later. Raise OSError or ValueError where it cannot start."""
        enter_folder(order.folder)
        program = order.launch.program
        if isinstance(program, Script):
            on_started(self._start_script(order, program))
        elif program.fresh:
            on_started(self._start_fresh(order, program))
        elif program.warm and (server := self._pool.server_for(program.warm)):
            self._start_warm(order, program, server, on_started, on_failed)
        else:
            on_started(self._start_bare(order, program))
            if program.warm:
                self._pool.prepare(program.warm, order.launch.env)

    def _start_script(self, order: Order, program: Script) -> MainProcess:
        launch = order.launch
        pid = spawn_script(
            program.script, env=launch.env, stdout=order.stdout, stderr=order.stderr, limits=launch.limits
        )
        return MainProcess(pid=pid)

    def _start_fresh(self, order: Order, program: Call) -> MainProcess:
        ours, theirs = _channel()
        with theirs:
            pid = _or_close(
                ours,
                lambda: spawn_python(
                    startup_code(),
                    env=order.launch.env,
                    stdout=order.stdout,
                    stderr=order.stderr,
                    channel=theirs.fileno(),
                ),
            )
        return MainProcess(pid=pid, channel=ours, first_bytes=_setup(order, program).to_bytes())

    def _start_bare(self, order: Order, program: Call) -> MainProcess:
        ours, theirs = _channel()
        setup = _setup(order, program)
        with theirs:
            pid = _or_close(
                ours,
                lambda: fork_task(setup, stdout=order.stdout, stderr=order.stderr, channel=theirs.fileno()),
            )
        return MainProcess(pid=pid, channel=ours)

    def _start_warm(
        self,
        order: Order,
        program: Call,
        server: ForkServer,
        on_started: Callable[[MainProcess], None],
        on_failed: Callable[[str], None],
    ) -> None:
        first_bytes = _setup(order, program).to_bytes()
        ours, theirs = _channel()

        def answered(answer: Answer | None) -> None:
            theirs.close()
            if answer is not None and "pid" in answer:
                on_started(MainProcess(pid=answer["pid"], channel=ours, first_bytes=first_bytes, server=server))
                return
            # A process that the server forked and did not tell of waits for its first bytes: closing ends it.
            ours.close()
            server.release()
            try:
                enter_folder(order.folder)
                on_started(self._start_bare(order, program))
            except (OSError, ValueError) as error:
                on_failed(str(error))

        server.fork([order.stdout, order.stderr, theirs.fileno()], answered)


def enter_folder(folder: str) -> None:
    """Make the folder the current one, which a process started now inherits; raise OSError with the reason."""
    if not os.path.isabs(folder):
        raise ValueError(f"the working folder {folder!r} is not an absolute path: name it from the root on")
    try:
        os.chdir(folder)
    except OSError as error:
        raise OSError(
            f"the working folder {folder!r} cannot be entered ({error.strerror}): create it or name another"
        ) from error


def _setup(order: Order, program: Call) -> TaskSetup:
    return TaskSetup(
        attempt_id=order.attempt_id,
        entry=program.entry,
        payload=program.payload,
        env=order.launch.env,
        cwd=order.folder,
        limits=order.launch.limits,
    )


def _channel() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def _or_close(sock: socket.socket, start: Callable[[], int]) -> int:
    try:
        return start()
    except BaseException:
        sock.close()
        raise
