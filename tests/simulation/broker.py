"""The message broker in bad weather: it loses, repeats, delays and reorders, and says of some that it has them not."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random

from flowd.domain.assignment import Assignment
from flowd.domain.ids import RunKey
from flowd.queue.base import Delivery, Queue, Subscription
from flowd.queue.message import SigningKeys, sign
from tests.simulation.virtual_loop import NOBODY, PROCESS, Process, VirtualLoop

CONFIRM_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class Weather:
    """How often each thing goes wrong with a message, from 0 to 1. Late ones come within `late_seconds`."""

    lost: float = 0.0
    repeated: float = 0.0
    late: float = 0.0
    late_seconds: float = 40.0
    unconfirmed: float = 0.0
    altered: float = 0.0


class Broker:
    """Queues of signed messages. `away` are the processes that cannot reach it."""

    def __init__(self, loop: VirtualLoop, chance: Random) -> None:
        self.weather = Weather()
        self.away: set[Process] = set()
        self.dead_letters: list[bytes] = []
        self._loop = loop
        self._chance = chance
        self._queues: defaultdict[str, list[bytes]] = defaultdict(list)
        self._ears: list[Ear] = []
        self._doors: list[Doorbell] = []

    def happens(self, probability: float) -> bool:
        """Return whether it goes wrong this time."""
        return self._chance.random() < probability

    def accept(self, queue: str, body: bytes) -> bool:
        """Take a message and return whether that is confirmed."""
        weather = self.weather
        for _ in range(1 + self.happens(weather.repeated)):
            if self.happens(weather.lost):
                continue
            copy = body[:-2] + b"!}" if self.happens(weather.altered) else body
            late = self._chance.random() * weather.late_seconds if self.happens(weather.late) else 0.0
            self._loop.call_later(late, self.put, queue, copy, context=NOBODY)
        return not self.happens(weather.unconfirmed)

    def put(self, queue: str, body: bytes) -> None:
        """Let a message lie in its queue, anywhere in it."""
        messages = self._queues[queue]
        messages.insert(self._chance.randint(0, len(messages)), body)
        for ear in self._ears:
            ear.news.set()

    def take(self, queues: Sequence[str], most: int) -> list[tuple[str, bytes]]:
        """Take the first messages out of these queues."""
        taken: list[tuple[str, bytes]] = []
        for queue in queues:
            while self._queues[queue] and len(taken) < most:
                taken.append((queue, self._queues[queue].pop(0)))
        return taken

    def listen(self, ear: "Ear") -> None:
        """A worker is there."""
        self._ears.append(ear)

    def forget(self, ear: "Ear") -> None:
        """A worker's connection is over: what it has not acknowledged is there for others."""
        self._ears = [one for one in self._ears if one is not ear]
        self.give_back(ear)

    def give_back(self, ear: "Ear") -> None:
        """Put what this ear has not acknowledged into its queue again."""
        unacknowledged, ear.unacknowledged = ear.unacknowledged, {}
        for queue, body in unacknowledged.values():
            self.put(queue, body)

    def disconnect(self, process: Process) -> None:
        """A process is gone, or can be reached no more."""
        for ear in list(self._ears):
            if ear.process is process:
                self.give_back(ear)
        self._doors = [door for door in self._doors if door.process is not process or process in self.away]

    def reconnect(self) -> None:
        """Whoever was away looks for messages again."""
        for ear in self._ears:
            ear.news.set()

    def add_door(self, door: "Doorbell") -> None:
        """A scheduler answers the doorbell."""
        self._doors.append(door)

    def ring(self, runs: Sequence[RunKey]) -> None:
        """Ring at one scheduler's door, or at none."""
        doors = [door for door in self._doors if door.process not in self.away]
        if doors and not self.happens(self.weather.lost):
            door = self._chance.choice(doors)
            door.rung.update(runs)
            door.news.set()


class Ear(Subscription):
    """A worker's subscription, as the broker knows it."""

    def __init__(self, broker: Broker, queues: Sequence[str]) -> None:
        self.process = PROCESS.get()
        self.news = asyncio.Event()
        self.unacknowledged: dict[int, tuple[str, bytes]] = {}
        self._broker = broker
        self._queues = queues
        self._numbers = count()

    async def receive(self, free: int) -> Sequence[Delivery]:
        while True:
            self.news.clear()
            if self.process not in self._broker.away:
                if taken := self._broker.take(self._queues, free):
                    return [self._delivery(queue, body) for queue, body in taken]
            await self.news.wait()

    def _delivery(self, queue: str, body: bytes) -> Delivery:
        number = next(self._numbers)
        self.unacknowledged[number] = (queue, body)
        return Delivery(
            body=body,
            claimed=None,
            queue=queue,
            ack=partial(self._settle, number),
            dead_letter=partial(self._bury, number),
        )

    async def _settle(self, number: int) -> None:
        await asyncio.sleep(0)
        if self.process not in self._broker.away:
            self.unacknowledged.pop(number, None)

    async def _bury(self, number: int, reason: str) -> None:
        if number in self.unacknowledged:
            self._broker.dead_letters.append(self.unacknowledged[number][1])
        await self._settle(number)


@dataclass(slots=True)
class Doorbell:
    """A scheduler that can be rung."""

    process: Process | None
    rung: set[RunKey] = field(default_factory=set)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def rings(self) -> AsyncIterator[frozenset[RunKey]]:
        """Yield the runs rung since the last turn."""
        while True:
            await self.news.wait()
            self.news.clear()
            rung, self.rung = frozenset(self.rung), set()
            yield rung


class SimulatedQueue(Queue):
    """One node's way to the broker."""

    def __init__(self, broker: Broker, keys: SigningKeys) -> None:
        self._broker = broker
        self._keys = keys

    async def publish(self, assignments: Sequence[Assignment]) -> Sequence[bool]:
        await asyncio.sleep(0)
        if PROCESS.get() in self._broker.away:
            await asyncio.sleep(CONFIRM_SECONDS)
            return [False] * len(assignments)
        return [self._broker.accept(one.queue, sign(one, self._keys)) for one in assignments]

    @asynccontextmanager
    async def subscribe(self, queues: Sequence[str]) -> AsyncIterator[Subscription]:
        ear = Ear(self._broker, queues)
        self._broker.listen(ear)
        try:
            yield ear
        finally:
            self._broker.forget(ear)

    async def ring(self, runs: Sequence[RunKey]) -> None:
        await asyncio.sleep(0)
        if runs and PROCESS.get() not in self._broker.away:
            self._broker.ring(runs)

    @asynccontextmanager
    async def rings(self) -> AsyncIterator[AsyncIterator[frozenset[RunKey]]]:
        door = Doorbell(PROCESS.get())
        self._broker.add_door(door)
        yield door.rings()

    async def check(self) -> None:
        """It always answers."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        yield
