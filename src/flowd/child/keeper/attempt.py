"""Attempt: one supervised process tree, from its start to its Ended."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from signal import SIGKILL, SIGSTOP

from flowd.child.frames import Frame, FrameTooLong
from flowd.child.keeper.deadlines import Deadline, Deadlines
from flowd.child.keeper.exit_status import NOTHING_KNOWN, Exit
from flowd.child.keeper.exit_watch import ExitWatch
from flowd.child.keeper.launcher import Launcher, MainProcess, Order
from flowd.child.keeper.log_file import LogFile
from flowd.child.keeper.log_pump import LogPump
from flowd.child.keeper.node_link import NodeLink
from flowd.child.keeper.process_table import ProcessTable
from flowd.child.keeper.reactor import Reactor
from flowd.child.keeper.task_channel import TaskChannel
from flowd.child.keeper.tree import kill_trees, signal_group, terminate_group
from flowd.child.keeper.wire import ended_to_json
from flowd.child.keeper.work_folder import WorkFolders
from flowd.child.launch import Ended, EndedBy, Launch

DRAIN_SECONDS = 1.0
"""How long, after the main process's end, someone else's hold on its output is waited for."""

UNKILLABLE_SECONDS = 10.0
"""After so long what is left of a tree is reported instead of waited for (stuck in the kernel, or not ours)."""

_KILL_AGAIN_SECONDS = 0.05
_FIRST_PAUSE_SECONDS = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all attempts of a keeper share."""

    reactor: Reactor
    node: NodeLink
    table: ProcessTable
    folders: WorkFolders
    launcher: Launcher


class Phase(Enum):
    """How far an attempt has come."""

    STARTING = auto()
    RUNNING = auto()
    EXITED = auto()
    REAPING = auto()
    OVER = auto()


class Attempt:
    """Starts the tree, ends it when told or when its time is up, kills what is left of it, and says once how it ended.

    The main process stays unreaped until all else of its tree is gone: its number, and with it the number of its
    group and session, can't be given to a stranger as long as signals are sent there.
    """

    def __init__(
        self, attempt_id: int, launch: Launch, surroundings: Surroundings, on_over: Callable[[int], None]
    ) -> None:
        self._id = attempt_id
        self._launch = launch
        self._all = surroundings
        self._on_over = on_over
        self._phase = Phase.STARTING
        self._cause = EndedBy.EXIT
        self._error: str | None = None
        self._exited_at = 0.0
        self._folder: str | None = None
        self._log: LogFile | None = None
        self._pump: LogPump | None = None
        self._main: MainProcess | None = None
        self._watch: ExitWatch | None = None
        self._channel: TaskChannel | None = None
        self._deadlines = Deadlines(surroundings.reactor, self._due)

    def start(self) -> None:
        """Start the program. What prevents that becomes the attempt's end."""
        launch = self._launch
        try:
            if launch.fence_at_ns is not None and launch.fence_at_ns <= time.monotonic_ns():
                raise ValueError("the lease had ended before the process could be started")
            self._folder = launch.cwd or self._all.folders.lend(self._id)
            self._log = LogFile(launch.log, launch.log_limit_bytes)
            self._pump = LogPump(self._all.reactor, self._log.write)
            order = Order(
                attempt_id=self._id,
                launch=launch,
                folder=self._folder,
                stdout=self._pump.stdout,
                stderr=self._pump.stderr,
            )
            self._all.launcher.start(order, self._started, self._not_started)
        except (OSError, ValueError) as error:
            self._not_started(str(error))
        self.fence(launch.fence_at_ns)

    def kill(self, reason: str, immediately: bool) -> None:
        """End the tree for this reason: SIGTERM and, after the grace, SIGKILL; or SIGKILL at once."""
        if immediately:
            self._kill(EndedBy.CANCEL, reason)
        else:
            self._terminate(EndedBy.CANCEL, reason)

    def fence(self, dead_at_ns: int | None) -> None:
        """Move the moment at which the tree must be dead."""
        if self._phase in (Phase.STARTING, Phase.RUNNING):
            self._deadlines.set_fence(dead_at_ns)

    def abandon(self) -> None:
        """Kill the process group at once, with nobody left to tell."""
        if self._main is not None:
            signal_group(self._main.pid, SIGKILL)

    def save_output(self) -> None:
        """Write what the killed tree had still to say into the log, with nobody left to tell of its end."""
        if self._pump is not None:
            self._pump.drain()
            self._pump.close()
        if self._log is not None:
            self._log.close()

    def reply(self, frame: Frame) -> None:
        """Hand the node's reply to the task."""
        if self._channel is not None and self._phase is Phase.RUNNING:
            self._channel.reply(frame)

    def _started(self, main: MainProcess) -> None:
        assert self._pump is not None
        reactor = self._all.reactor
        self._main = main
        self._phase = Phase.RUNNING
        self._all.table.add(self._id, main.pid, self._launch.mark)
        # A process that was doomed while it was being forked waits for its setup, and must not get it.
        unsent = main.begin() if self._cause is EndedBy.EXIT else b""
        self._pump.close_child_ends()
        self._pump.start()
        if main.channel is not None:
            self._channel = TaskChannel(self._id, main.channel, unsent, reactor, self._all.node, mask=self._pump.mask)
        self._all.node.put({"op": "started", "id": self._id, "pid": main.pid})
        self._watch = ExitWatch(reactor, main.pid, self._exited)
        if self._cause is not EndedBy.EXIT:
            self._kill(self._cause, self._error)
        elif self._launch.timeout_seconds is not None:
            self._deadlines.set_after(Deadline.TIMEOUT, self._launch.timeout_seconds)

    def _not_started(self, error: str) -> None:
        if self._pump is not None:
            self._pump.close_child_ends()
        self._error = error
        self._over(EndedBy.NOT_STARTED, NOTHING_KNOWN)

    def _due(self, deadline: Deadline) -> None:
        match deadline:
            case Deadline.TIMEOUT:
                self._terminate(EndedBy.TIMEOUT, f"it ran for longer than {self._launch.timeout_seconds:g} seconds")
            case Deadline.GRACE:
                self._kill(self._cause, self._error)
            case Deadline.FENCE:
                self._kill(EndedBy.FENCE, "its lease was about to end")

    def _terminate(self, cause: EndedBy, reason: str) -> None:
        if self._doom(cause, reason) and self._main is not None:
            terminate_group(self._main.pid)
            self._deadlines.set_after(Deadline.GRACE, self._launch.grace_seconds)

    def _kill(self, cause: EndedBy, reason: str | None) -> None:
        if not self._doom(cause, reason) and self._cause is EndedBy.EXIT:
            return
        if self._main is not None and self._phase is Phase.RUNNING:
            # The group is stopped at one stroke first, so that even a fork bomb holds still to be counted.
            signal_group(self._main.pid, SIGSTOP)
            kill_trees([self._main.pid, *self._all.table.leftovers(self._id)])
            signal_group(self._main.pid, SIGKILL)
            self._all.reactor.call_after(_KILL_AGAIN_SECONDS, lambda: self._kill(cause, reason))

    def _doom(self, cause: EndedBy, reason: str | None) -> bool:
        """Note the first cause of the end; False where the process has ended by itself or for an earlier cause."""
        has_ended = self._watch is not None and self._watch.has_ended
        if has_ended or self._cause is not EndedBy.EXIT or self._phase not in (Phase.STARTING, Phase.RUNNING):
            return False
        self._cause, self._error = cause, reason
        return True

    def _exited(self) -> None:
        self._phase = Phase.EXITED
        self._exited_at = time.monotonic()
        self._deadlines.stop()
        if self._channel is not None:
            self._channel.close()
        self._clear_away(_FIRST_PAUSE_SECONDS)

    def _clear_away(self, pause_seconds: float) -> None:
        """Kill what is left of the tree and read the rest of its output; if need be again, after a pause."""
        assert self._main is not None and self._pump is not None
        signal_group(self._main.pid, SIGKILL)
        leftovers = self._all.table.leftovers(self._id)
        kill_trees(leftovers)
        self._pump.drain()
        waited = time.monotonic() - self._exited_at
        if leftovers and waited > UNKILLABLE_SECONDS:
            self._error = f"processes {leftovers} of its tree could not be killed"
        elif leftovers or (not self._pump.is_at_end and waited < DRAIN_SECONDS):
            again = min(2 * pause_seconds, _KILL_AGAIN_SECONDS)
            self._all.reactor.call_after(pause_seconds, lambda: self._clear_away(again))
            return
        self._phase = Phase.REAPING
        self._main.reap(self._reaped)

    def _reaped(self, exit_: Exit) -> None:
        assert self._main is not None
        self._all.table.remove(self._main.pid, self._launch.mark)
        if exit_ is NOTHING_KNOWN and self._error is None:
            self._error = "how it ended is unknown: its fork server died at the same moment"
        self._over(self._cause, exit_)

    def _over(self, cause: EndedBy, exit_: Exit) -> None:
        self._phase = Phase.OVER
        self._deadlines.stop()
        if self._pump is not None:
            self._pump.close()
        if self._log is not None:
            self._log.close()
        if self._folder is not None and self._launch.cwd is None:
            self._all.folders.take_back(self._folder)
        self._tell(
            Ended(
                by=cause,
                exit_code=exit_.exit_code,
                signal=exit_.signal,
                cpu_seconds=exit_.cpu_seconds,
                peak_rss_bytes=exit_.peak_rss_bytes,
                last_line=self._pump.last_line if self._pump else None,
                result=self._channel.result if self._channel else None,
                log_truncated=self._log.is_truncated if self._log else False,
                error=self._error,
            )
        )
        self._on_over(self._id)

    def _tell(self, ended: Ended) -> None:
        try:
            self._all.node.put({"op": "ended", "id": self._id, "ended": ended_to_json(ended)})
        except FrameTooLong as error:
            self._tell(replace(ended, result=None, error=f"its result was dropped: {error}"))
