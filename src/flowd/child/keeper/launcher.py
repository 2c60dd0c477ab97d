"""Launcher: starts the main process of an attempt in the way its program asks for."""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flowd.child.keeper.environment_change import EnvironmentChange
from flowd.child.keeper.exit_status import Exit, from_answer, reap_own
from flowd.child.keeper.fork_call import fork_task
from flowd.child.keeper.fork_server import Answer, ForkServer, WaitingProcess
from flowd.child.keeper.fresh import startup_code
from flowd.child.keeper.launch_script import spawn_python, spawn_script
from flowd.child.keeper.task_setup import TaskSetup
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
    """A started process: the near end of its channel, the setup and descriptors it waits for, and who forked it."""

    pid: int
    channel: socket.socket | None = None
    setup: bytes = b""
    descriptors: tuple[int, ...] = ()
    server: ForkServer | None = None

    def begin(self) -> bytes:
        """Send a process that waits what it waits for; return what its channel does not take yet."""
        if self.channel is None or not self.setup:
            return b""
        self.channel.setblocking(False)
        try:
            if self.descriptors:
                return self.setup[socket.send_fds(self.channel, [self.setup], self.descriptors) :]
            return self.setup[self.channel.send(self.setup) :]
        except OSError:
            # It has ended, and its end will be told of.
            return b""

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
        return MainProcess(pid=pid, channel=ours, setup=_setup(order, program, order.launch.env).to_bytes())

    def _start_bare(self, order: Order, program: Call) -> MainProcess:
        ours, theirs = _channel()
        setup = _setup(order, program, os.environ)
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
        def lent(process: WaitingProcess | None) -> None:
            if process is not None:
                setup = _setup(order, program, server.env).to_bytes()
                ends = (order.stdout, order.stderr)
                on_started(
                    MainProcess(pid=process.pid, channel=process.channel, setup=setup, descriptors=ends, server=server)
                )
                return
            server.release()
            try:
                enter_folder(order.folder)
                on_started(self._start_bare(order, program))
            except (OSError, ValueError) as error:
                on_failed(str(error))

        server.lend(lent)


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


def _setup(order: Order, program: Call, env: Mapping[str, str]) -> TaskSetup:
    """Return the setup for a process that begins with the environment `env`."""
    return TaskSetup(
        attempt_id=order.attempt_id,
        entry=program.entry,
        payload=program.payload,
        env=EnvironmentChange.between(env, order.launch.env),
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
