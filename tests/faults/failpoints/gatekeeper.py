"""Gatekeeper: stands at every door of this process and obeys the orders that scenarios write."""

import asyncio
import os
import signal
from collections import Counter

from tests.faults.failpoints.order import Action, Moment, Order, OrderBook


class Gatekeeper:
    """Kills, stops and delays by itself; `pass_by` answers FAIL and DROP, which only the door can bring about."""

    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._orders: list[Order] = []
        self._written_at = -1
        self._passages: Counter[Order] = Counter()
        self._passed: set[str] = set()

    async def pass_by(self, door: str, moment: Moment) -> Action | None:
        """Note a passage; return what the door is to do about it, if anything."""
        if door not in self._passed:
            self._passed.add(door)
            self._book.note_passed(door)
        for order in self._current():
            if order.door == door and order.moment is moment and self._is_due(order):
                self._book.note_obeyed(order)
                match order.action:
                    case Action.KILL:
                        os.kill(os.getpid(), signal.SIGKILL)
                    case Action.STOP:
                        os.kill(os.getpid(), signal.SIGSTOP)
                    case Action.DELAY:
                        await asyncio.sleep(order.seconds)
                    case told:
                        return told
        return None

    def _current(self) -> list[Order]:
        try:
            written_at = os.stat(self._book.path).st_mtime_ns
        except FileNotFoundError:
            return []
        if written_at != self._written_at:
            self._written_at, self._orders = written_at, self._book.read()
            self._passages.clear()
        return self._orders

    def _is_due(self, order: Order) -> bool:
        self._passages[order] += 1
        if order.every:
            return self._passages[order] % order.every == 0
        return self._passages[order] == order.nth
