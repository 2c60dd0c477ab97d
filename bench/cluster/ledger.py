"""Ledger: the metastore, read and never written: the states and the times that count are the ones written there."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import asyncpg

_RUN = "SELECT state, queued_at, ended_at FROM dag_run WHERE dag_id = {0} AND run_id = {1}"
_TASKS = (
    "SELECT t.scheduled_at, t.queued_at, t.started_at, t.ended_at FROM task_instance t JOIN dag_run d ON d.id = t.run"
    " WHERE d.dag_id = {0} AND d.run_id = {1} ORDER BY t.ended_at, t.id"
)
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTimes:
    """A run's state, and in seconds since 1970 when it was queued and when it ended, None while it has not."""

    state: str
    queued_at: float
    ended_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimes:
    """When a finished task took each step, in seconds since 1970."""

    scheduled_at: float
    queued_at: float
    started_at: float
    ended_at: float


class _Source(Protocol):
    def fetch(self, statement: str, dag_id: str, run_id: str) -> Sequence[Sequence[Any]]: ...
    def close(self) -> None: ...


class Ledger(AbstractContextManager["Ledger"]):
    """The metastore at `url`, which holds this version's schema already."""

    def __init__(self, url: str) -> None:
        self._source: _Source = _Sqlite(url) if url.startswith("sqlite") else _Postgres(url)

    def run(self, dag_id: str, run_id: str) -> RunTimes:
        """Return the run; raise IndexError where there is none."""
        state, queued_at, ended_at = self._source.fetch(_RUN, dag_id, run_id)[0]
        ended = None if ended_at is None else ended_at / _SECOND
        return RunTimes(state=state, queued_at=queued_at / _SECOND, ended_at=ended)

    def tasks(self, dag_id: str, run_id: str) -> list[TaskTimes]:
        """Return the tasks of a run that all went through every step, in the order in which they ended."""
        return [
            TaskTimes(
                scheduled_at=scheduled / _SECOND,
                queued_at=queued / _SECOND,
                started_at=started / _SECOND,
                ended_at=ended / _SECOND,
            )
            for scheduled, queued, started, ended in self._source.fetch(_TASKS, dag_id, run_id)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.close()


class _Sqlite:
    def __init__(self, url: str) -> None:
        path = url.removeprefix("sqlite:///")
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)

    def fetch(self, statement: str, dag_id: str, run_id: str) -> Sequence[Sequence[Any]]:
        return self._connection.execute(statement.format("?", "?"), (dag_id, run_id)).fetchall()

    def close(self) -> None:
        self._connection.close()


class _Postgres:
    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        settings = {"default_transaction_read_only": "on"}
        self._connection: Any = self._runner.run(_connect(url, settings))

    def fetch(self, statement: str, dag_id: str, run_id: str) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self._runner.run(
            self._connection.fetch(statement.format("$1", "$2"), dag_id, run_id)
        )
        return rows

    def close(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()


async def _connect(url: str, settings: dict[str, str]) -> Any:
    return await asyncpg.connect(url, server_settings=settings)
