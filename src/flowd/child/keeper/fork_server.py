"""ForkServer: the keeper's hold on one fork server; it never waits for it."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import Any

from flowd.child.keeper import packets
from flowd.child.keeper.exit_watch import ExitWatch
from flowd.child.keeper.linux import reap
from flowd.child.keeper.reactor import READ, WRITE, Reactor
from flowd.child.keeper.tree import kill_trees
from flowd.child.keeper.warm_limits import WarmLimits
from flowd.child.keeper.warm_server import fork_server

Answer = Mapping[str, Any]


class Phase(Enum):
    """What a fork server is doing."""

    LOADING = auto()
    READY = auto()
    GONE = auto()


class ForkServer:
    """Starts a fork server and carries questions to it. When it is gone, every open question is answered with None."""

    def __init__(
        self,
        reactor: Reactor,
        bundle_file: tuple[str, str],
        env: Mapping[str, str],
        limits: WarmLimits,
        on_gone: Callable[["ForkServer"], None],
    ) -> None:
        """Start it; raise OSError where the system refuses. `on_gone` is called once it is dead and reaped."""
        self.phase = Phase.LOADING
        self.refusal: str | None = None
        self.bundle_file = bundle_file
        self.task_count = 0
        self.used_at = time.monotonic()
        self._reactor = reactor
        self._limits = limits
        self._on_gone = on_gone
        self._unsent: deque[tuple[Answer, Sequence[int]]] = deque()
        self._open: deque[Callable[[Answer | None], None]] = deque()
        self._forks_asked = 0
        self._forks_answered = 0
        self._is_writing = False
        self._is_reaped = False
        self._socket, theirs = packets.pair()
        try:
            with theirs:
                self.pid = fork_server(bundle_file, env, theirs)
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)
        reactor.watch(self._socket.fileno(), self._on_events)
        self._exit = ExitWatch(reactor, self.pid, self._reap)
        reactor.call_after(limits.load_seconds, self._check_loaded)

    def fork(self, descriptors: Sequence[int], on_answer: Callable[[Answer | None], None]) -> None:
        """Ask for a task process that takes the descriptors, which stay open until the answer: {"pid"} or {"error"}."""
        self.task_count += 1
        self._forks_asked += 1
        number = self._forks_asked

        def answered(answer: Answer | None) -> None:
            self._forks_answered = number
            on_answer(answer)

        self._ask({"fork": True}, descriptors, answered)
        self._reactor.call_after(self._limits.answer_seconds, lambda: self._check_answered(number))

    def reap(self, pid: int, on_answer: Callable[[Answer | None], None]) -> None:
        """Ask for the end of a task process that has ended."""
        self._ask({"reap": pid}, (), on_answer)

    def release(self) -> None:
        """Count one task less."""
        self.task_count -= 1
        self.used_at = time.monotonic()

    @property
    def is_gone(self) -> bool:
        """Whether it is dead and reaped: its tasks are this process's children now."""
        return self._is_reaped

    def kill(self) -> None:
        """Kill the server; tasks it forked live on, now as the keeper's children."""
        self._stop_talking()
        if self.task_count:
            os.kill(self.pid, signal.SIGKILL)
        else:
            kill_trees([self.pid])

    def _ask(self, request: Answer, descriptors: Sequence[int], on_answer: Callable[[Answer | None], None]) -> None:
        self._open.append(on_answer)
        self._unsent.append((request, descriptors))
        self._send()

    def _on_events(self, events: int) -> None:
        if events & READ:
            self._receive()
        if events & WRITE:
            self._send()

    def _send(self) -> None:
        if self.phase is Phase.GONE:
            return
        try:
            while self._unsent:
                packets.send(self._socket, *self._unsent[0])
                self._unsent.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self.kill()
            return
        if self._is_writing != bool(self._unsent):
            self._is_writing = bool(self._unsent)
            self._reactor.unwatch(self._socket.fileno())
            self._reactor.watch(self._socket.fileno(), self._on_events, READ | (WRITE if self._is_writing else 0))

    def _receive(self) -> None:
        try:
            answer, _ = packets.receive(self._socket)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            answer = None
        if answer is None:
            self.kill()
        elif self.phase is Phase.LOADING:
            self._loaded(answer)
        elif self._open:
            self._open.popleft()(answer)

    def _loaded(self, answer: Answer) -> None:
        self.refusal = answer.get("refused")
        if self.refusal is None:
            self.phase = Phase.READY
            self.used_at = time.monotonic()

    def _check_loaded(self) -> None:
        if self.phase is Phase.LOADING:
            self.refusal = "the import took too long"
            self.kill()

    def _check_answered(self, number: int) -> None:
        if self.phase is Phase.READY and self._forks_answered < number:
            self.kill()

    def _stop_talking(self) -> None:
        if self.phase is not Phase.GONE:
            self.refusal = self.refusal or ("the import ended its process" if self.phase is Phase.LOADING else None)
            self.phase = Phase.GONE
            self._reactor.unwatch(self._socket.fileno())
            self._socket.close()

    def _reap(self) -> None:
        # Only now are its tasks this process's children: the end of its socket comes before that.
        self._stop_talking()
        reap(self.pid)
        self._is_reaped = True
        unanswered, self._open = self._open, deque()
        for on_answer in unanswered:
            on_answer(None)
        self._on_gone(self)
