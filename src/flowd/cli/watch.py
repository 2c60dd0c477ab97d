"""watch: shows how a run goes, one line per change, until it has ended."""

import asyncio
import time
from typing import TYPE_CHECKING

import typer

from flowd.cli.exit_codes import ExitCode
from flowd.cli.output import note
from flowd.cli.session import with_metastore

if TYPE_CHECKING:
    from flowd.db.metastore import Metastore
    from flowd.settings.model import Settings

LOOK_SECONDS = 0.25


def watch(settings: "Settings", dag_id: str, run_id: str, timeout_seconds: float | None = None) -> str:
    """Say every change of the run's tasks on stderr and return the state it ended in.

    Exits with 124 where it has not ended after `timeout_seconds`.
    """

    async def look(metastore: "Metastore") -> str:
        from flowd.db.views.runs import state_of

        seen: dict[tuple[str, int], tuple[str, int]] = {}
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            async with metastore.reading() as tx:
                state = await state_of(tx, dag_id, run_id)
            await _say_changes(metastore, dag_id, run_id, seen)
            if state.is_finished:
                return state.value
            if deadline is not None and time.monotonic() >= deadline:
                note(f"Run {run_id} is still {state} after {timeout_seconds:g} seconds; it goes on without you.")
                raise typer.Exit(ExitCode.TIMED_OUT)
            await asyncio.sleep(LOOK_SECONDS)

    return with_metastore(settings, look)


async def _say_changes(
    metastore: "Metastore", dag_id: str, run_id: str, seen: dict[tuple[str, int], tuple[str, int]]
) -> None:
    from flowd.db.views.dag_cards import DagCards
    from flowd.db.views.listing import EVERY_ROW, OneOf
    from flowd.db.views.task_instances import list_instances

    listing = EVERY_ROW.where(OneOf("dag_id", (dag_id,)), OneOf("run_id", (run_id,)))
    async with metastore.reading() as tx:
        instances, _ = await list_instances(tx, DagCards(), listing)
    for one in instances:
        key, now = (one.task_id, one.map_index), (one.state.value, one.try_number)
        if seen.get(key, ("none", 0)) != now:
            index = f"[{one.map_index}]" if one.map_index >= 0 else ""
            took = f" in {one.duration_seconds:.2f} s" if one.state.is_finished and one.duration_seconds else ""
            tries = f" (try {one.try_number})" if one.try_number > 1 else ""
            note(f"  {one.task_id}{index}: {one.state}{tries}{took}")
        seen[key] = now
