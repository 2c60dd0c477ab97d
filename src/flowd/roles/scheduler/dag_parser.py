"""DagParser: imports DAG files, each in a process of its own that can harm nothing but itself."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from flowd.child.frames import Frame
from flowd.child.keeper_client import Keeper, KeeperDied, OnRequest
from flowd.child.launch import Call, Launch, Limits
from flowd.domain.errors import FlowdError
from flowd.roles.scheduler.dag_parse_result import ParseBounds, ParsedFile, broken, parsed_file, stderr_tail

LOG_LIMIT_BYTES = 1024 * 1024
_GRACE_SECONDS = 1.0
_TAIL_BYTES = 64 * 1024

_OURS = "FLOWD_"
"""Settings begin with it, credentials among them: no child sees one."""

OnParsed = Callable[[str, ParsedFile], None]


class RequestRefused(FlowdError):
    """A DAG file asked at its top level for what only a running task is given."""


async def refuse_request(_: int, request: Frame) -> Frame:
    """Refuse what a DAG file asks for while it is imported."""
    raise RequestRefused(
        f"{request.get('op')} is not answered while a DAG file is imported: use a template, or ask within a task"
    )


class DagParser:
    """Parses files with a keeper of its own for each call of `parse`, at most `concurrency` at a time.

    The output of each parse is in `log_folder`, in a file named like the DAG file with .log behind. `env` is the
    node's environment; what belongs to flowd is taken out of it. `on_request` answers what files ask for.
    """

    def __init__(
        self,
        *,
        bounds: ParseBounds,
        log_folder: str,
        env: Mapping[str, str],
        concurrency: int = 2,
        on_request: OnRequest = refuse_request,
    ) -> None:
        self._bounds = bounds
        self._log_folder = os.path.abspath(log_folder)
        self._env = {name: value for name, value in env.items() if not name.startswith(_OURS)}
        self._concurrency = concurrency
        self._on_request = on_request

    async def parse(self, folder: str, files: Sequence[str], on_parsed: OnParsed) -> None:
        """Parse `files` of `folder` in this order, and hand on the result of each as soon as it is known.

        A file whose process takes the keeper with it gets a second chance, alone, before that counts as its error.
        Raises KeeperDied where no keeper can be started at all.
        """
        waiting = deque(files)
        suspects: list[str] = []
        while waiting:
            await self._parse_until_death(folder, waiting, suspects, self._concurrency, on_parsed)
        for file in suspects:
            culprits: list[str] = []
            await self._parse_until_death(folder, deque([file]), culprits, 1, on_parsed)
            if culprits:
                on_parsed(file, broken(f"{file}: killed the process that started its import: remove what does that"))

    async def _parse_until_death(
        self, folder: str, waiting: deque[str], suspects: list[str], concurrency: int, on_parsed: OnParsed
    ) -> None:
        """Take files from `waiting` until there is none, or the keeper dies: what it ran then becomes suspect."""

        async def work(keeper: Keeper) -> None:
            while waiting:
                file = waiting.popleft()
                try:
                    parsed = await self._parse_one(keeper, folder, file)
                except KeeperDied:
                    suspects.append(file)
                    return
                on_parsed(file, parsed)

        async with Keeper.open(env=self._env, on_request=self._on_request) as keeper, asyncio.TaskGroup() as tasks:
            for _ in range(min(concurrency, len(waiting))):
                tasks.create_task(work(keeper))

    async def _parse_one(self, keeper: Keeper, folder: str, file: str) -> ParsedFile:
        log = os.path.join(self._log_folder, f"{file}.log")
        await asyncio.to_thread(_remove, log)
        started = time.monotonic()
        tree = await keeper.start(
            Launch(
                program=Call(entry="flowd.child.parse_dags", payload={"folder": folder, "file": file}),
                env=self._env,
                log=log,
                timeout_seconds=self._bounds.timeout.total_seconds(),
                grace_seconds=_GRACE_SECONDS,
                log_limit_bytes=LOG_LIMIT_BYTES,
                limits=Limits(
                    address_space_bytes=self._bounds.memory_bytes,
                    open_files=self._bounds.open_files,
                ),
            )
        )
        ended = await tree.wait()
        seconds = time.monotonic() - started
        tail = stderr_tail(await asyncio.to_thread(_last_lines, log)) if ended.result is None else ""
        return parsed_file(file, ended, tail, self._bounds, seconds)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _last_lines(path: str) -> list[str]:
    try:
        with open(path, "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - _TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()
    except OSError:
        return []
