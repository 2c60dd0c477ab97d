"""ForkServer: the keeper's hold on one fork server; it never waits for it."""

import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from flowd.child.keeper import packets
from flowd.child.keeper.exit_watch import ExitWatch
from flowd.child.keeper.linux import reap
from flowd.child.keeper.reactor import READ, WRITE, Reactor
from flowd.child.keeper.tree import kill_trees
from flowd.child.keeper.warm_limits import WarmLimits
from flowd.child.keeper.warm_server import fork_server

SPARES = 2
"""So many processes wait, forked already, for the next tasks: as many as are started at a time on a quiet machine."""

Answer = Mapping[str, Any]


class Phase(Enum):
    """What a fork server is doing."""

    LOADING = auto()
    READY = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True)
class WaitingProcess:
    """A forked process that waits on its channel for its setup and the ends of its output's pipes; it ends with it."""

    pid: int
    channel: socket.socket

    @property
    def is_alive(self) -> bool:
        """False where it has ended without having been asked for anything."""
        try:
            self.channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False


Borrower = Callable[[WaitingProcess | None], None]


class ForkServer:
    """Starts a fork server, lends the processes it forks, and keeps some spare ones. When it is gone, so are these.

    A spare process takes the fork out of the time between a claim and a task's first instruction.
    """

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
        self.env = env
        self.task_count = 0
        self.used_at = time.monotonic()
        self._reactor = reactor
        self._limits = limits
        self._on_gone = on_gone
        self._unsent: deque[tuple[Answer, Sequence[int]]] = deque()
        self._open: deque[Callable[[Answer | None], None]] = deque()
        self._spares: deque[WaitingProcess] = deque()
        self._borrowers: deque[Borrower] = deque()
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

    def lend(self, borrower: Borrower) -> None:
        """Give a waiting process: a spare one at once, else the next. None: there will be none, start it otherwise."""
        self.task_count += 1
        while self._spares:
            spare = self._spares.popleft()
            if spare.is_alive:
                borrower(spare)
                break
            self._discard(spare)
        else:
            self._borrowers.append(borrower)
        self._restock()

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

    def _restock(self) -> None:
        wanted = len(self._borrowers) + SPARES - len(self._spares)
        while self.phase is Phase.READY and self._forks_asked - self._forks_answered < wanted:
            try:
                self._fork()
            except OSError:
                # Out of descriptors: whoever waits starts otherwise, and what is lent later tries again.
                self._refuse_borrowers()
                return

    def _fork(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._forks_asked += 1
        number = self._forks_asked

        def answered(answer: Answer | None) -> None:
            self._forks_answered = number
            theirs.close()
            if answer is not None and "pid" in answer:
                self._take(WaitingProcess(answer["pid"], ours))
                return
            # A process that the server forked and did not tell of ends with its channel.
            ours.close()
            if self._borrowers:
                self._borrowers.popleft()(None)

        # Where tasks come one after the other, there is time to spare before the next one.
        is_ahead = not self._borrowers and self.task_count <= SPARES
        self._ask({"fork": "ahead" if is_ahead else "now"}, [theirs.fileno()], answered)
        self._reactor.call_after(self._limits.answer_seconds, lambda: self._check_answered(number))

    def _take(self, process: WaitingProcess) -> None:
        if self._borrowers:
            self._borrowers.popleft()(process)
        else:
            self._spares.append(process)

    def _discard(self, spare: WaitingProcess) -> None:
        spare.channel.close()
        self._ask({"reap": spare.pid}, (), lambda _: None)

    def _refuse_borrowers(self) -> None:
        while self._borrowers:
            self._borrowers.popleft()(None)

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
            self._restock()

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
            while self._spares:
                self._spares.pop().channel.close()

    def _reap(self) -> None:
        # Only now are its tasks this process's children: the end of its socket comes before that.
        self._stop_talking()
        reap(self.pid)
        self._is_reaped = True
        unanswered, self._open = self._open, deque()
        for on_answer in unanswered:
            on_answer(None)
        self._refuse_borrowers()
        self._on_gone(self)
