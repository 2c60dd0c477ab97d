"""Ledger: what a scenario reads from the metastore itself, past every proxy."""

from types import TracebackType
from typing import Any, Self

from flowd.db.metastore import Metastore
from tests.faults.harness.loop_thread import LoopThread


class Ledger:
    """Answers SQL on a connection of its own."""

    def __init__(self, wires: LoopThread, url: str) -> None:
        self._wires = wires
        self.url = url

    def __enter__(self) -> Self:
        async def opened() -> Metastore:
            return Metastore(self.url, pool_size=2)

        self._metastore = self._wires.call(opened())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wires.call(self._metastore.close())

    def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query; raise MetastoreUnavailable where the server is away."""

        async def read() -> list[tuple[Any, ...]]:
            async with self._metastore.reading() as tx:
                return [tuple(row) for row in await tx.execute(statement, parameters)]

        return self._wires.call(read())

    def change(self, statement: str, **parameters: Any) -> None:
        """Change what is there, behind every node's back."""

        async def write() -> None:
            async with self._metastore.transaction() as tx:
                await tx.execute(statement, parameters)

        self._wires.call(write())

    def count_live_runs(self) -> int:
        """Return how many runs have not ended."""
        return int(self.rows("SELECT COUNT(*) FROM dag_run WHERE state IN ('queued', 'running')")[0][0])

    def run_states(self) -> dict[str, str]:
        """Return the state of every run, by its id."""
        return {f"{dag_id}/{run_id}": state for dag_id, run_id, state in self.rows(_RUNS)}


_RUNS = "SELECT dag_id, run_id, state FROM dag_run"
