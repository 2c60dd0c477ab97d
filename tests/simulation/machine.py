"""A machine with its keeper and the tasks' processes, which live and die apart from the node that started them."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from flowd.child.frames import Frame
from flowd.child.keeper_client import Keeper, OnRequest
from flowd.child.launch import Ended, EndedBy, Launch
from flowd.child.running_tree import RunningTree
from tests.simulation.virtual_loop import NOBODY, Process, VirtualLoop
from tests.simulation.waits import WAITING, a_wait
from tests.support.checker.evidence import JournalLine, TaskKey, Word

LONGEST_TASK_SECONDS = 12.0
TICK_SECONDS = 0.7
MOST_ITEMS = 3
"""The longest list that a task returns for others to be mapped over."""
EOF_SECONDS = 1.5
"""A keeper that sees its node die has killed everything within 2 seconds."""


@dataclass(slots=True)
class Tasks:
    """What all tasks have in common: how they fare, and the journal they write."""

    loop: VirtualLoop
    chance: Random
    journal: list[JournalLine] = field(default_factory=list)
    failures: float = 0.25
    waits: float = WAITING
    most_items: int = MOST_ITEMS
    pids: Any = field(default_factory=lambda: count(1000))

    def write(self, word: Word, launch: Launch, pid: int, items: int | None = None) -> None:
        """Write a line in the journal."""
        env = launch.env
        self.journal.append(
            JournalLine(
                number=len(self.journal) + 1,
                word=word,
                # Two lines of one moment are in the order in which they were written.
                at_ns=int(self.loop.now * 1e9) + len(self.journal),
                task=TaskKey(
                    env["FLOWD_DAG_ID"], env["FLOWD_DAG_RUN_ID"], env["FLOWD_TASK_ID"], int(env["FLOWD_MAP_INDEX"])
                ),
                try_number=int(env["FLOWD_TRY_NUMBER"]),
                token=env["FLOWD_CLAIM_TOKEN"],
                pid=pid,
                items=items,
            )
        )


class TaskProcess:
    """One task's process: it begins, ticks, and ends by itself or is killed. `over` is called once, with how."""

    def __init__(self, tasks: Tasks, launch: Launch, tree: RunningTree) -> None:
        self.launch = launch
        self.tree = tree
        self.is_over = False
        self.fence_at_ns = launch.fence_at_ns
        self.pid = next(tasks.pids)
        self._tasks = tasks

    def begin(self, over: Any) -> None:
        """Start."""
        self._over = over
        loop, chance = self._tasks.loop, self._tasks.chance
        self._tasks.write(Word.BEGIN, self.launch, self.pid)
        # Most tasks are short; a few outlive a lease.
        seconds = LONGEST_TASK_SECONDS * chance.random() ** 4 * (5 if chance.random() < 0.05 else 1)
        loop.call_later(seconds, self._exit, context=NOBODY)
        loop.call_later(TICK_SECONDS, self._tick, context=NOBODY)

    def kill(self, by: EndedBy, error: str | None = None) -> None:
        """End it now, without a word of its own."""
        self._end(Ended(by=by, signal=9, error=error))

    def is_past_fence(self, now_ns: int) -> bool:
        """Return whether its lease is over."""
        return self.fence_at_ns is not None and now_ns >= self.fence_at_ns

    def _tick(self) -> None:
        if not self.is_over:
            self._tasks.write(Word.TICK, self.launch, self.pid)
            self._tasks.loop.call_later(TICK_SECONDS, self._tick, context=NOBODY)

    def _exit(self) -> None:
        if self.is_over:
            return
        ended = self._ended()
        value = (ended.result or {}).get("value")
        self._tasks.write(Word.END, self.launch, self.pid, None if value is None else len(value))
        self._end(ended)

    def _ended(self) -> Ended:
        tasks, chance = self._tasks, self._tasks.chance
        if tasks.waits and chance.random() < tasks.waits:
            return Ended(by=EndedBy.EXIT, exit_code=0, result=a_wait(chance, tasks.loop.now))
        if chance.random() < tasks.failures:
            return Ended(by=EndedBy.EXIT, exit_code=chance.choice([1, 1, 1, 99]))
        if not tasks.most_items:
            return Ended(by=EndedBy.EXIT, exit_code=0)
        result = {"outcome": "success", "value": list(range(chance.randint(0, tasks.most_items)))}
        return Ended(by=EndedBy.EXIT, exit_code=0, result=result)

    def _end(self, ended: Ended) -> None:
        if not self.is_over:
            self.is_over = True
            self._over(self, ended)


class Machine:
    """Where one worker runs, and after its death the next. Its disk stays."""

    def __init__(self, name: str, tasks: Tasks) -> None:
        self.name = name
        self.tasks = tasks
        self.incarnation = 0
        self.running: list[TaskProcess] = []

    def kill_marked(self, marks: Collection[str]) -> None:
        """Kill the processes of these tokens, whoever started them."""
        for process in list(self.running):
            if process.launch.mark in marks:
                process.kill(EndedBy.CANCEL)

    def node_died(self, node: Process) -> None:
        """The keeper of this node sees its socket closed, and kills everything it runs."""
        seconds = self.tasks.chance.random() * EOF_SECONDS
        mine = [one for one in self.running if one.tree._node is node]  # type: ignore[attr-defined]
        for process in mine:
            self.tasks.loop.call_later(seconds, process.kill, EndedBy.CANCEL, context=NOBODY)


class NodesTree(RunningTree):
    """A tree, and the node that is told of it."""

    def __init__(self, number: int, send: Any, node: Process) -> None:
        super().__init__(number, send)
        self._node = node


class SimulatedKeeper(Keeper):
    """The keeper's side of the protocol: it starts, fences and kills, whatever has become of its node."""

    def __init__(self, machine: Machine, node: Process) -> None:
        self._machine = machine
        self._node = node
        self._numbers = count(1)
        self._processes: dict[int, TaskProcess] = {}

    async def start(self, launch: Launch, on_request: OnRequest | None = None) -> RunningTree:
        tree = NodesTree(next(self._numbers), self._take_frame, self._node)
        process = TaskProcess(self._machine.tasks, launch, tree)
        self._processes[tree.attempt_id] = process
        self._later(self._begin, process)
        await tree.begun()
        return tree

    def fence(self, deadlines_ns: Mapping[int, int | None]) -> None:
        self._later(self._take_fences, dict(deadlines_ns))

    def _take_frame(self, frame: Frame) -> None:
        process = self._processes[frame["id"]]
        # SIGTERM is obeyed at once or, up to the end of the grace, not.
        grace = 0.0 if frame["immediately"] else self._chance.choice([0.0, process.launch.grace_seconds])
        self._loop.call_later(grace, process.kill, EndedBy.CANCEL, frame["reason"], context=NOBODY)

    def _begin(self, process: TaskProcess) -> None:
        if process.is_past_fence(int(self._loop.now * 1e9)):
            process.is_over = True
            self._tell(process.tree.take_end, Ended(by=EndedBy.NOT_STARTED, error="its lease had ended"))
            return
        self._machine.running.append(process)
        process.begin(self._ended)
        self._tell(process.tree.take_start, process.pid)
        self._watch_fence(process)

    def _ended(self, process: TaskProcess, ended: Ended) -> None:
        self._machine.running.remove(process)
        self._tell(process.tree.take_end, ended)

    def _take_fences(self, deadlines_ns: Mapping[int, int | None]) -> None:
        for number, at_ns in deadlines_ns.items():
            self._processes[number].fence_at_ns = at_ns

    def _watch_fence(self, process: TaskProcess) -> None:
        if process.is_over or process.fence_at_ns is None:
            return
        if process.is_past_fence(int(self._loop.now * 1e9)):
            process.kill(EndedBy.FENCE)
        else:
            # The fence moves with every heartbeat: only the one that stands when it is reached counts.
            # A microsecond on, for a float may come to lie before the nanosecond that it stands for.
            self._loop.call_at(process.fence_at_ns / 1e9 + 1e-6, self._watch_fence, process, context=NOBODY)

    def _later(self, act: Any, *args: Any) -> None:
        # The socket between the two keeps the order.
        self._loop.call_soon(act, *args, context=NOBODY)

    def _tell(self, hear: Any, *args: Any) -> None:
        self._loop.call_soon(hear, *args, context=self._node.context)

    @property
    def _loop(self) -> VirtualLoop:
        return self._machine.tasks.loop

    @property
    def _chance(self) -> Random:
        return self._machine.tasks.chance


class SimulatedKeeperHost:
    """Takes the place of KeeperHost: the keeper of a simulated machine never dies before its node."""

    def __init__(self, keeper: SimulatedKeeper) -> None:
        self._keeper = keeper

    async def current(self) -> Keeper:
        """Return the keeper."""
        return self._keeper

    async def run(self) -> None:
        """Be there until cancelled."""
        await asyncio.Event().wait()
