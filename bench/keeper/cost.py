"""KeeperCost: tasks a second through a real keeper, and whose CPU they took, beside raw starts of processes."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench.keeper.cpu import KeeperCpu, keeper_cpu
from bench.keeper.launches import bash_launch, noop_launch
from bench.limits.parallelism import IN_FLIGHT
from bench.limits.processes import SDK
from flowd.child.keeper_client import Keeper
from flowd.child.launch import EndedBy, Launch
from flowd.roles.worker.task_environment import scrubbed

LAUNCHES: Mapping[str, Callable[[Path, int], Launch]] = {"bash": bash_launch, "noop": noop_launch}

RAW = {"raw spawn": "spawn", "raw fork": "fork", "raw fork_sdk": "fork"}

BESIDE = {"bash": "raw spawn", "noop": "raw fork"}
"""What a task of each kind is compared with."""

WARM_UP_SECONDS = 1.0

_RATES = Path(__file__).parents[1] / "limits" / "process_rates.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What `tasks` tasks took: tasks per second, and CPU milliseconds a task by who used them."""

    name: str
    in_flight: int
    per_second: float
    cpu_ms: Mapping[str, float]


def raw_cost(name: str, seconds: float) -> Cost:
    """Return what a raw start costs; `name` is one of RAW. A fork of "raw fork_sdk" has imported what DAG files do."""
    command = [sys.executable, "-I", str(_RATES), RAW[name], str(IN_FLIGHT), str(seconds)]
    command += [SDK] if name == "raw fork_sdk" else []
    rate, cpu_ms = subprocess.check_output(command, text=True).split()
    return Cost(name=name, in_flight=IN_FLIGHT, per_second=float(rate), cpu_ms={"total": float(cpu_ms)})


def keeper_cost(name: str, folder: Path, *, tasks: int, in_flight: int) -> Cost:
    """Return what a task of `name` (bash, noop) costs, measured over `tasks` of them after some to warm up."""
    return uvloop.run(_measure(name, folder, tasks, in_flight))


async def _measure(name: str, folder: Path, tasks: int, in_flight: int) -> Cost:
    launch = LAUNCHES[name]
    async with Keeper.open(env=scrubbed(os.environ), on_request=_refuse) as keeper:
        # The first task lets a fork server be prepared, and is forked without it.
        await _run(keeper, [launch(folder, 0)], 1)
        await asyncio.sleep(WARM_UP_SECONDS)
        await _run(keeper, [launch(folder, number) for number in range(1, 33)], in_flight)
        launches = [launch(folder, number) for number in range(100, 100 + tasks)]
        before, own_before, begun = keeper_cpu(keeper.pid), time.process_time(), time.monotonic()
        await _run(keeper, launches, in_flight)
        seconds = time.monotonic() - begun
        used, own = keeper_cpu(keeper.pid).since(before), time.process_time() - own_before
    return Cost(name=name, in_flight=in_flight, per_second=tasks / seconds, cpu_ms=_by_user(used, own, tasks))


async def _run(keeper: Keeper, launches: list[Launch], in_flight: int) -> None:
    waiting = iter(launches)

    async def worker() -> None:
        for launch in waiting:
            ended = await (await keeper.start(launch)).wait()
            if ended.by is not EndedBy.EXIT or ended.exit_code != 0:
                raise RuntimeError(f"a task of the bench ended otherwise than by exit 0: {ended}")

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(worker())


def _by_user(used: KeeperCpu, own: float, tasks: int) -> dict[str, float]:
    parts = {"tasks": used.tasks, "servers": used.servers, "keeper": used.keeper, "client": own}
    return {name: seconds * 1000 / tasks for name, seconds in {"total": sum(parts.values()), **parts}.items()}


async def _refuse(attempt: int, request: Mapping[str, Any]) -> dict[str, Any]:
    raise RuntimeError(f"task {attempt} of the bench asked for {request}")
