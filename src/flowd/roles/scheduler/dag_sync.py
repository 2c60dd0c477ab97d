"""DagSync: carries what the DAG folder defines into the metastore, and keeps it so.

Any number of schedulers may sync the same folder at once: what they write is the same, and unique. Where their folders
differ, the last to see a change of a file wins that file, whole; a file is taken for removed by the scheduler that saw
it go, and at the start of one that does not have it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import structlog
from watchfiles import DefaultFilter, awatch

from flowd.db import bundles, dags, import_errors, parse_requests
from flowd.db.metastore import Metastore
from flowd.domain.errors import Conflict
from flowd.domain.ids import BundleHash
from flowd.roles.loop import Bell, Loop
from flowd.roles.scheduler.dag_changes import touched
from flowd.roles.scheduler.dag_folder import DagFolder, FolderChanged, FolderUnusable, Snapshot
from flowd.roles.scheduler.dag_ownership import FilePlan, Plan, plan
from flowd.roles.scheduler.dag_parse_result import ParsedFile, broken
from flowd.roles.scheduler.dag_parser import DagParser

Result = TypeVar("Result")

log = structlog.get_logger(__name__)

FOLDER = "."
"""The import error of this file is about the folder as a whole."""

COMMIT_SECONDS = 0.5
"""While files are parsed, those that are done are written so often: a slow file keeps no other waiting."""

WATCH_STEP_MS = 250
"""How long the folder must be still before a change of it is looked at; the watcher also wakes up so often."""

WATCH_DEBOUNCE_MS = 1000
"""And how long it may be restless at most."""

REFRESH = timedelta(minutes=5)
"""A file is parsed again after this time: what it defines may hang on variables, dates and services, too."""

_MOST_RESTARTS = 2
_MOST_CONFLICTS = 5


@dataclass(slots=True)
class _FileState:
    """A file as it was parsed last, and when (monotonic)."""

    parsed: ParsedFile
    parsed_at: float


@dataclass(slots=True)
class _Seen:
    """What this scheduler knows of the folder. `stale` files wait to be parsed, `gone` ones to be deactivated."""

    snapshot: Snapshot | None = None
    states: dict[str, _FileState] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    written: dict[str, tuple[FilePlan, ParsedFile]] = field(default_factory=dict)
    has_news: bool = False
    is_settled: bool = False


class DagSync:
    """Looks at the folder when it changes and at every interval; parses what may have changed, and writes that.

    `changed` is rung after every write: a DAG may be due at another time now. `first_pass` is set once every file has
    been looked at once: only then is the metastore complete.
    """

    def __init__(
        self,
        metastore: Metastore,
        folder: DagFolder,
        parser: DagParser,
        interval: timedelta,
        *,
        paused_at_creation: bool,
        changed: Bell | None = None,
        refresh: timedelta = REFRESH,
    ) -> None:
        self.loop = Loop("DagSync", self.step, interval)
        self.first_pass = asyncio.Event()
        self._metastore = metastore
        self._folder = folder
        self._parser = parser
        self._interval = interval
        self._paused_at_creation = paused_at_creation
        self._changed = changed or Bell()
        self._refresh_seconds = refresh.total_seconds()
        self._seen = _Seen()
        self._restarts = 0

    async def run(self) -> None:
        """Sync until cancelled, woken by changes of the folder."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.loop.run())
            tasks.create_task(self.watch())

    async def watch(self) -> None:
        """Ring the loop at every change of the folder; where it cannot be watched, the interval has to do."""
        while True:
            try:
                async for _ in awatch(
                    self._folder.folder, watch_filter=DefaultFilter(), debounce=WATCH_DEBOUNCE_MS, step=WATCH_STEP_MS
                ):
                    self.loop.bell.ring()
            except (OSError, RuntimeError) as error:
                log.info("the DAG folder is not watched", folder=self._folder.folder, reason=str(error))
            await asyncio.sleep(self._interval.total_seconds())

    def reparse(self) -> None:
        """Parse every file again now, changed or not."""
        self._seen.stale |= set(self._seen.states)
        self.loop.bell.ring()

    async def step(self) -> bool:
        """Bring the metastore up to date with the folder; True where the folder changed meanwhile."""
        try:
            snapshot = await asyncio.to_thread(self._folder.scan)
            await self._notice(snapshot)
            if not self._seen.stale and self._seen.is_settled:
                return False
            bundle = await self._store(snapshot)
        except FolderUnusable as error:
            await self._tell_of_folder(str(error))
            self.first_pass.set()
            return False
        except FolderChanged as change:
            log.info("the DAG folder changes while it is read", reason=str(change))
            return False
        if not await self._parse(snapshot, bundle):
            self._restarts += 1
            return True
        self._restarts = 0
        self.first_pass.set()
        return False

    async def _notice(self, snapshot: Snapshot) -> None:
        """Find out what must be parsed and what is gone."""
        seen = self._seen
        before = seen.snapshot
        present = {*snapshot.candidates, *snapshot.problems}
        async with self._metastore.reading() as tx:
            known = await dags.known(tx)
            asked_for = await parse_requests.asked_for(tx)
            if before is None:
                ours = {dag.file for dag in known if dag.bundle_name is None}
                seen.gone = (ours | await import_errors.files(tx)) - present
        if before is None:
            seen.stale = set(snapshot.candidates)
        elif before != snapshot:
            seen.is_settled = False
            seen.gone = (seen.gone | set(before.candidates) | set(before.problems)) - present
            seen.stale |= await asyncio.to_thread(touched, before, snapshot, self._folder.text)
        in_metastore = {dag.dag_id for dag in known}
        for path, (file_plan, _) in seen.written.items():
            if not in_metastore.issuperset(file_plan.owned):
                seen.stale.add(path)  # Somebody deleted the DAG, but its file is still here.
        oldest = time.monotonic() - self._refresh_seconds
        seen.stale |= {path for path, state in seen.states.items() if state.parsed_at < oldest}
        seen.stale |= asked_for
        seen.stale &= set(snapshot.candidates)
        for path, problem in snapshot.problems.items():
            state = seen.states.get(path)
            if state is None or state.parsed.error != problem:
                seen.states[path] = _FileState(broken(problem), float("inf"))
        seen.states = {path: state for path, state in seen.states.items() if path in present}
        seen.written = {path: done for path, done in seen.written.items() if path in present}
        if asked_for:
            async with self._metastore.transaction() as tx:
                await parse_requests.take(tx, asked_for)
        # Last: where anything above fails, it must be found out again.
        seen.snapshot = snapshot

    async def _store(self, snapshot: Snapshot) -> BundleHash:
        """Store the folder as a bundle, less what is stored already."""
        manifest = snapshot.manifest
        by_hash = {file.hash: file for file in snapshot.files.values()}

        async def attempt() -> BundleHash:
            async with self._metastore.reading() as tx:
                missing = await bundles.missing_contents(tx, manifest.values())
            packed = await asyncio.to_thread(
                lambda: {
                    hash_: bundles.pack(content)
                    for hash_, content in self._folder.contents(by_hash[hash_] for hash_ in missing).items()
                }
            )
            size = sum(file.size_bytes for file in snapshot.files.values())
            async with self._metastore.transaction() as tx:
                return await bundles.store(tx, manifest, packed, size_bytes=size, now=await tx.now())

        hash_ = await self._despite_conflicts(attempt)
        self._folder.forget_contents()
        return hash_

    async def _parse(self, snapshot: Snapshot, bundle: BundleHash) -> bool:
        """Parse what is stale and write what is done; False where the folder changed: look at it anew."""
        # New files first: nobody sees them yet. Then those that were quick.
        states = self._seen.states
        order = sorted(
            self._seen.stale, key=lambda path: (states[path].parsed.seconds if path in states else 0.0, path)
        )
        if order:
            log.info("DAG files are parsed", files=len(order))
        try:
            async with asyncio.TaskGroup() as tasks:
                parsing = tasks.create_task(self._parser.parse(self._folder.folder, order, self._take))
                is_done = False
                while not is_done:
                    await asyncio.wait([parsing], timeout=COMMIT_SECONDS)
                    if await self._has_changed(snapshot):
                        parsing.cancel()
                        return False
                    # Asked before the write: what is parsed while that is under way needs another.
                    is_done = parsing.done()
                    if is_done or self._seen.has_news:
                        await self._write(bundle)
        except ExceptionGroup as group:
            # One thing failed, and the loop wants to know which.
            raise group.exceptions[0] from group
        self._seen.gone.clear()
        self._seen.is_settled = not self._seen.stale
        return True

    def _take(self, file: str, parsed: ParsedFile) -> None:
        self._seen.states[file] = _FileState(parsed, time.monotonic())
        self._seen.stale.discard(file)
        self._seen.has_news = True
        if parsed.error:
            log.warning("DAG file has an error", file=file, error=parsed.error.splitlines()[0])

    async def _has_changed(self, snapshot: Snapshot) -> bool:
        """Say whether what was parsed may not be what was stored. A folder that never holds still is taken as it is."""
        now = await asyncio.to_thread(self._folder.scan)
        if now.manifest == snapshot.manifest:
            return False
        paths = sorted(path for path, _ in now.manifest.items() ^ snapshot.manifest.items())
        if self._restarts < _MOST_RESTARTS:
            return True
        log.warning("the DAG folder changes while it is parsed; name such files in .flowdignore", files=paths[:5])
        return False

    async def _write(self, bundle: BundleHash) -> None:
        await self._despite_conflicts(lambda: self._write_once(bundle))

    async def _write_once(self, bundle: BundleHash) -> None:
        seen = self._seen
        # Frozen before anything is awaited: what is parsed meanwhile is news for the next write.
        seen.has_news = False
        stale, states = set(seen.stale), dict(seen.states)
        files = {path: None for path in stale} | {path: state.parsed for path, state in states.items()}
        async with self._metastore.transaction() as tx:
            known = await dags.known(tx)
            decided = plan(files, known, seen.gone)
            news = self._news(decided, stale, states)
            fresh = [
                dags.FreshDag(spec=dag, warnings=parsed.warnings, parse_seconds=parsed.seconds)
                for path, (file_plan, parsed) in news.items()
                for dag in parsed.dags
                if dag.dag_id in file_plan.owned
            ]
            unchanged = {
                dag_id
                for path, file_plan in decided.files.items()
                if path not in news and path not in stale
                for dag_id in file_plan.owned
            }
            # A file that waits to be parsed may hold a DAG that another one lost.
            inactive = () if stale else decided.inactive
            now = await tx.now()
            await dags.lock(tx, {*(one.spec.dag_id for one in fresh), *unchanged, *inactive})
            await dags.save(tx, fresh, bundle=bundle, paused_at_creation=self._paused_at_creation, now=now)
            await dags.move(tx, unchanged, bundle)
            await dags.deactivate(tx, inactive)
            errors = {path: file_plan.error for path, (file_plan, _) in news.items() if file_plan.error}
            await import_errors.replace(tx, {*news, *seen.gone, FOLDER}, errors, now)
        seen.written |= news
        if news or inactive:
            self._changed.ring()
            log.info("DAGs written", dags=len(fresh), inactive=len(inactive), errors=len(errors))

    def _news(
        self, decided: Plan, stale: Set[str], states: Mapping[str, _FileState]
    ) -> dict[str, tuple[FilePlan, ParsedFile]]:
        """What is not written as it is now, of files that do not wait to be parsed."""
        news: dict[str, tuple[FilePlan, ParsedFile]] = {}
        for path, file_plan in decided.files.items():
            parsed = states[path].parsed
            done = self._seen.written.get(path)
            if path not in stale and (done is None or done[0] != file_plan or done[1] is not parsed):
                news[path] = (file_plan, parsed)
        return news

    async def _tell_of_folder(self, error: str) -> None:
        """Write that the folder cannot be taken; every DAG stays as it is."""
        log.warning("the DAG folder cannot be taken", error=error)
        self._seen.is_settled = False

        async def attempt() -> None:
            async with self._metastore.transaction() as tx:
                await import_errors.replace(tx, [FOLDER], {FOLDER: error}, await tx.now())

        await self._despite_conflicts(attempt)

    async def _despite_conflicts(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Return what the attempt returns, made again where another scheduler wrote the same at the same moment."""
        for _ in range(_MOST_CONFLICTS - 1):
            try:
                return await self._metastore.retrying(attempt)
            except Conflict as conflict:
                log.debug("another scheduler was faster", reason=str(conflict))
        return await self._metastore.retrying(attempt)
