"""TriggerProcess: the process that runs the triggers of one bundle, started again where it dies."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from flowd.child.frames import Frame
from flowd.child.keeper_client import Keeper, KeeperDied, RunningTree
from flowd.child.launch import Call, Launch
from flowd.db.triggers import News
from flowd.domain.deferral import TriggerSpec
from flowd.domain.errors import FlowdError
from flowd.domain.ids import BundleHash, ClaimToken, DagId, RunId
from flowd.roles.backoff import Backoff
from flowd.roles.bundle_cache import BundleCache
from flowd.roles.look_ups import Library, LookUps

log = structlog.get_logger(__name__)

ENTRY = "flowd.child.run_triggers"
LOG_NAME = "(triggers)"
"""Stands for the DAG in the path of the logs; no DAG can be called so."""

LOG_LIMIT_BYTES = 16 * 1024 * 1024

PATIENCE = timedelta(seconds=20)
"""How long a question for triggers is left open where there is nothing to answer."""

IDLE = timedelta(seconds=20)
"""How long a process is kept that has nothing to run: a task often defers itself again."""

MOST_DEATHS = 3
"""After so many deaths in a row with nothing fired between them, the triggers of the process are given up."""

Fired = Callable[[ClaimToken, News], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerBench:
    """What these processes are made with."""

    library: Library
    bundles: BundleCache
    keeper: Callable[[], Awaitable[Keeper]]
    environ: Mapping[str, str]
    logs: Path


class TriggerProcess:
    """Runs what it is told to want, tells what fires, and ends when nothing is wanted any more.

    Without a bundle it is for triggers that come with flowd or from a library. Those of tasks are told once. Where it
    `watches`, its triggers are those of watchers: every event is told, they are never given up, and their process is
    no other's: theirs may be the one that kills it.
    """

    def __init__(self, bench: TriggerBench, bundle: BundleHash | None, fired: Fired, *, watches: bool = False) -> None:
        self._bench = bench
        self._bundle = bundle
        self._fired = fired
        self._watches = watches
        self._begun: set[ClaimToken] = set()
        self._look_ups = LookUps(bench.library, DagId(""), RunId(""))
        self._wanted: dict[ClaimToken, TriggerSpec] = {}
        self._changed = asyncio.Event()
        self._deaths = 0
        self._is_idle = False

    def want(self, triggers: Mapping[ClaimToken, TriggerSpec]) -> None:
        """Run these triggers and no others."""
        if triggers.keys() != self._wanted.keys():
            self._wanted = dict(triggers)
            self._changed.set()

    def has(self, token: ClaimToken) -> bool:
        """Return True until a trigger that is not wanted any more has stopped."""
        return token in self._begun

    async def run(self) -> None:
        """Run until nothing is wanted; a process that dies is followed by another after a growing pause."""
        backoff = Backoff()
        while self._wanted:
            try:
                await self._run_one()
            except (FlowdError, OSError) as error:
                log.warning("triggers cannot be run", bundle=self._bundle, error=str(error))
                self._deaths += 1
            self._begun.clear()
            if self._wanted and self._deaths >= MOST_DEATHS and not self._watches:
                await self._give_up()
            elif self._wanted:
                await backoff.pause()

    async def _run_one(self) -> None:
        async with AsyncExitStack() as held:
            root = None
            if self._bundle is not None:
                root = await held.enter_async_context(self._bench.bundles.hold(self._bundle))
            keeper = await self._bench.keeper()
            self._is_idle = False
            tree = await keeper.start(self._launch(root), self._answer)
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._end_when_idle(tree))
                try:
                    ended = await tree.wait()
                except KeeperDied:
                    return
                finally:
                    watching.cancel()
                    tree.kill("its triggers are run no longer", immediately=True)
            if not self._is_idle:
                self._deaths += 1
                log.warning("the process of triggers died", bundle=self._bundle, code=ended.exit_code, by=ended.by)

    async def _end_when_idle(self, tree: RunningTree) -> None:
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(None if self._wanted else IDLE.total_seconds()):
                    await self._changed.wait()
            except TimeoutError:
                break
        self._is_idle = True
        tree.kill("it has no triggers to run", immediately=False)

    async def _answer(self, attempt: int, request: Frame) -> Frame:
        match request["op"]:
            case "triggers":
                return await self._changes(set(request["have"]))
            case "fired":
                await self._tell(request)
                return {}
            case _:
                return await self._look_ups.answer(attempt, request)

    async def _changes(self, have: set[ClaimToken]) -> Frame:
        """Return what is to be started and stopped, once there is anything."""
        self._begun = have
        if self._wanted.keys() == have:
            self._changed.clear()
            try:
                async with asyncio.timeout(PATIENCE.total_seconds()):
                    await self._changed.wait()
            except TimeoutError:
                pass
        starting = [
            {
                "number": token,
                "classpath": one.classpath,
                "kwargs": dict(one.kwargs),
                "file": one.file,
                "watches": self._watches,
            }
            for token, one in self._wanted.items()
            if token not in have
        ]
        self._begun = have | self._wanted.keys()
        return {"start": starting, "stop": sorted(have - self._wanted.keys())}

    async def _tell(self, request: Frame) -> None:
        token = ClaimToken(request["number"])
        self._deaths = 0
        news = News(
            event=request.get("event"),
            event_id=request.get("event_id"),
            failure=request.get("failure"),
            ends_as=request.get("ends_as"),
            xcoms=request.get("xcoms") or {},
        )
        await self._fired(token, news)
        if self._watches:
            return
        self._wanted = {other: one for other, one in self._wanted.items() if other != token}
        self._changed.set()

    async def _give_up(self) -> None:
        """Tell the tasks that the process of their triggers does not live."""
        for token in list(self._wanted):
            await self._fired(token, News(failure=f"the process of its trigger died {self._deaths} times in a row"))
        self._wanted = {}

    def _launch(self, root: str | None) -> Launch:
        return Launch(
            program=Call(entry=ENTRY, payload={"bundle_root": root}),
            env=self._bench.environ,
            log=str(self._bench.logs / LOG_NAME / f"{self._bundle or 'library'}.log"),
            log_limit_bytes=LOG_LIMIT_BYTES,
            grace_seconds=1.0,
        )
