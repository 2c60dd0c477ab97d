"""Attempt: one claimed try from its start to the moment the ledger knows how it ended."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from flowd.actions.backends import Backends
from flowd.child.frames import FrameTooLong
from flowd.child.keeper.log_pump import event_line
from flowd.child.keeper_client import Keeper, KeeperDied, RunningTree
from flowd.child.launch import Call, Ended, EndedBy, Launch, Script
from flowd.child.leftovers import kill_marked
from flowd.clock import Clock
from flowd.domain.assignment import assignment_to_json
from flowd.domain.errors import NotFound, Unavailable
from flowd.domain.ids import InstanceKey
from flowd.domain.task_events import Succeeded
from flowd.domain.task_spec import StartMethod
from flowd.domain.work import BashWork
from flowd.logs.paths import log_path
from flowd.queue.base import Claimed
from flowd.roles.backoff import Backoff
from flowd.roles.bundle_cache import BadBundle, BundleCache
from flowd.roles.look_ups import Library
from flowd.roles.worker.log_shipper import LogShipper
from flowd.roles.worker.report import Report
from flowd.roles.worker.reporter import Reporter
from flowd.roles.worker.task_environment import task_environment
from flowd.roles.worker.task_requests import TaskRequests
from flowd.roles.worker.verdict import Verdict, judge

if TYPE_CHECKING:
    from flowd.tracing import Tracer

log = structlog.get_logger(__name__)

ENTRY = "flowd.child.run_task"

KEEPER_KILLED = "log truncated: flowd's keeper was killed, and with it what the task wrote last"
"""The last line of a try's log whose output had nobody left to carry it there."""

MOST_DISK_ERRORS = 5
"""After so many failed writes, some seconds apart, a try is given to whoever has room for its bundle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What every attempt of a worker works with."""

    library: Library
    backends: Backends
    bundles: BundleCache
    reporter: Reporter
    clock: Clock
    environ: Mapping[str, str]
    logs: Path
    log_limit_bytes: int
    kill_grace: timedelta
    is_strictly_fenced: bool
    shipper: LogShipper | None = None
    tracer: "Tracer | None" = None

    def log_root(self, leg: int) -> Path:
        """Return the folder below which the logs of tries in this leg are written."""
        return self.logs if self.shipper is None else self.shipper.root(leg)


class Attempt:
    """Runs one claimed try under the keeper. Its token is a lease that `Heartbeat` keeps until the report is in."""

    def __init__(self, claimed: Claimed, bench: Workbench) -> None:
        self.claimed = claimed
        self._bench = bench
        self._began_at = bench.clock.now()
        self._fence_at_ns = claimed.fence_at_ns
        self._tree: RunningTree | None = None
        self._keeper: Keeper | None = None
        self._is_lost = False
        self._is_over = False
        self._is_cancelled = False
        self._is_interrupted = False

    @property
    def instance(self) -> InstanceKey:
        """The task instance whose try this is."""
        return self.claimed.assignment.instance

    def keep_until(self, fence_at_ns: int) -> None:
        """Move the moment at which the keeper kills this try by itself."""
        self._fence_at_ns = fence_at_ns
        if self._keeper is not None and self._tree is not None and self._bench.is_strictly_fenced:
            self._keeper.fence({self._tree.attempt_id: fence_at_ns})

    def lose(self) -> None:
        """Kill the try at once and report nothing: its token is no longer the current one."""
        if self._is_over:
            # Its processes are gone, and its report is on the way or written already: what the ledger answers counts.
            return
        self._is_lost = True
        log.warning("lease lost", task=self.claimed.assignment.label)
        self._kill("the lease was lost", immediately=True)

    def cancel(self) -> None:
        """Ask the try to end, as a user wants: SIGTERM, grace, SIGKILL."""
        if not self._is_cancelled:
            self._is_cancelled = True
            log.info("cancelling", task=self.claimed.assignment.label)
            self._kill("a user cancelled the task", immediately=False)

    def interrupt(self, *, immediately: bool = False) -> None:
        """Kill the try because the worker stops: it is tried again elsewhere, with no retry used."""
        self._is_interrupted = not self._is_cancelled
        self._kill("the worker is stopping", immediately=immediately)

    async def run(self, keeper: Keeper) -> Ended | None:
        """Start the try and return how its processes ended; None where nothing may be said about it."""
        self._keeper = keeper
        if self._bench.shipper is not None:
            self._bench.shipper.follow(self._log_path(), self.claimed.assignment.leg)
        async with AsyncExitStack() as held:
            ready = await self._prepare(held)
            if isinstance(ready, Launch):
                return await self._run_under(keeper, ready)
            self._is_over = True
            return ready

    async def _prepare(self, held: AsyncExitStack) -> Launch | Ended | None:
        """Return what to start, or how the try ended before that; outages are waited out while the try is wanted.

        Only a bundle that is wrong or gone is the try's own failure: with another worker it would be no better.
        """
        backoff, disk_errors = Backoff(), 0
        while self._is_wanted:
            try:
                root = await self._bundle(held)
                backoff.reset()
                break
            except (BadBundle, NotFound) as error:
                return Ended(by=EndedBy.NOT_STARTED, error=str(error))
            except Unavailable as error:
                backoff.tell("Attempt", error, task=self._label)
            except OSError as error:
                log.warning("bundle not written", task=self._label, error=str(error))
                disk_errors += 1
                if disk_errors == MOST_DISK_ERRORS:
                    return self._given_back(f"its worker could not write its bundle: {error}")
            await backoff.pause()
        # Asked last, with no await before the start: what came during the fetch must keep the process from starting.
        if not self._is_wanted:
            return None if self._is_lost else Ended(by=EndedBy.CANCEL, error="it was ended before it was started")
        return self._launch(root)

    async def _run_under(self, keeper: Keeper, launch: Launch) -> Ended | None:
        assignment = self.claimed.assignment
        requests = TaskRequests(self._bench.library, self._bench.backends, self.claimed)
        try:
            self._tree = await keeper.start(launch, requests.answer)
            if not self._is_wanted:
                self._tree.kill("it was no longer wanted when it started", immediately=self._is_lost)
            ended = await self._tree.wait()
            self._is_over = True
        except (FrameTooLong, TypeError) as error:
            self._is_over = True
            return Ended(by=EndedBy.NOT_STARTED, error=f"it cannot be handed to a process: {error}")
        except KeeperDied as death:
            # Scripts outlive a keeper that was killed. Whatever is not found here must be dead when the lease is over.
            await asyncio.to_thread(kill_marked, {self.claimed.token})
            await asyncio.to_thread(self._append_to_log, KEEPER_KILLED)
            log.error("keeper died; the lease must run out", task=assignment.label, error=str(death))
            return None
        if ended.by is EndedBy.NOT_STARTED and launch.fence_at_ns is not None:
            if launch.fence_at_ns <= time.monotonic_ns():
                return self._given_back(ended.error or "its lease had ended before it was started")
        return None if self._is_lost or ended.by is EndedBy.FENCE else ended

    def _given_back(self, reason: str) -> Ended:
        """Return the end of a try that never began, through no fault of its own: no retry is used."""
        self._is_interrupted = True
        return Ended(by=EndedBy.NOT_STARTED, error=reason)

    @property
    def _is_wanted(self) -> bool:
        return not (self._is_lost or self._is_interrupted or self._is_cancelled)

    @property
    def _label(self) -> str:
        return self.claimed.assignment.label

    @property
    def _traceparent(self) -> str | None:
        tracer = self._bench.tracer
        return None if tracer is None else tracer.traceparent(self.claimed.assignment)

    @property
    def is_dead(self) -> bool:
        """True where its processes are known to be gone."""
        return self._is_over

    async def release(self) -> None:
        """Tell the ledger that the processes of a try whose token was dropped are dead: another try may begin."""
        await self._bench.reporter.release(self.claimed.assignment)

    async def report(self, ended: Ended) -> bool:
        """Return once the ledger knows how the try ended: True where it counted, False where it was fenced."""
        assignment = self.claimed.assignment
        verdict = judge(
            assignment, self.claimed.token, ended, is_interrupted=self._is_interrupted, now=self._bench.clock.now()
        )
        # A success is in the ledger, and a line for each would be a tenth of what a short task costs its node.
        if not isinstance(verdict.event, Succeeded):
            log.info(
                "task ended",
                task=assignment.label,
                cause=verdict.event.cause,
                seconds_of_cpu=round(ended.cpu_seconds, 3),
                **({"error": verdict.measured.error} if verdict.measured.error else {}),
            )
        self._trace(verdict)
        if verdict.measured.error is not None:
            await asyncio.to_thread(self._append_to_log, verdict.measured.error)
        # Before the report: whoever sees that it has ended sees all that it wrote.
        await self.finish_log()
        return await self._bench.reporter.report(
            Report(
                instance=assignment.instance,
                label=assignment.label,
                event=verdict.event,
                measured=verdict.measured,
                returned=verdict.returned,
                asset_news=verdict.asset_news,
                deferral=verdict.deferral,
                rendered_map_index=verdict.rendered_map_index,
            )
        )

    def _trace(self, verdict: Verdict) -> None:
        if self._bench.tracer is not None:
            self._bench.tracer.try_ended(
                self.claimed.assignment,
                began=self._began_at,
                ended=self._bench.clock.now(),
                cause=verdict.event.cause,
                error=verdict.measured.error,
            )

    async def finish_log(self) -> None:
        """Bring the rest of the log to where logs are kept, if that is not this disk; nothing more is written."""
        if self._bench.shipper is not None:
            await self._bench.shipper.finish(self._log_path())

    def _append_to_log(self, text: str) -> None:
        """Say in the task's own log what flowd knows of its end; a log that cannot be written has been reported."""
        with suppress(OSError), open(self._log_path(), "ab") as file:
            file.write(event_line(text))

    def _log_path(self) -> Path:
        assignment = self.claimed.assignment
        return log_path(
            self._bench.log_root(assignment.leg),
            assignment.dag_id,
            assignment.run_id,
            assignment.task_id,
            assignment.map_index,
            assignment.try_number,
        )

    def _kill(self, reason: str, *, immediately: bool) -> None:
        if self._tree is not None:
            self._tree.kill(reason, immediately=immediately)

    async def _bundle(self, held: AsyncExitStack) -> str | None:
        """Return the folder of the try's bundle, which stays there for as long as `held`; None for a script."""
        assignment = self.claimed.assignment
        if isinstance(assignment.work, BashWork):
            return None
        return await held.enter_async_context(self._bench.bundles.hold(assignment.bundle))

    def _launch(self, root: str | None) -> Launch:
        assignment, bench = self.claimed.assignment, self._bench
        work = assignment.work
        program: Script | Call
        if isinstance(work, BashWork):
            program, cwd = Script(script=work.script), work.cwd
        else:
            program, cwd = self._call(root or ""), None
        timeout = assignment.execution_timeout
        return Launch(
            program=program,
            env=task_environment(bench.environ, self.claimed, self._traceparent),
            log=str(self._log_path()),
            cwd=cwd,
            timeout_seconds=timeout.total_seconds() if timeout is not None else None,
            fence_at_ns=self._fence_at_ns if bench.is_strictly_fenced else None,
            grace_seconds=bench.kill_grace.total_seconds(),
            log_limit_bytes=bench.log_limit_bytes,
            mark=self.claimed.token,
        )

    def _call(self, root: str) -> Call:
        assignment = self.claimed.assignment
        file = getattr(assignment.work, "file", None)
        is_fresh = assignment.start_method is StartMethod.SPAWN
        return Call(
            entry=ENTRY,
            payload={
                "assignment": assignment_to_json(assignment),
                "bundle_root": root,
                "token": self.claimed.token,
            },
            warm=None if is_fresh or file is None else (root, file),
            fresh=is_fresh,
        )
