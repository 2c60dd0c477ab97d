"""Member: a node of a cluster with its own wires to the servers, its orders, and ways to hurt it."""

import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

from tests.faults.failpoints.order import Action, Order, OrderBook
from tests.faults.harness.link import Link
from tests.support.node_process import NodeProcess

DYING_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """`links` are its wires by the name of what is at their other end: `metastore`, `broker`."""

    name: str
    process: NodeProcess
    links: Mapping[str, Link]
    book: OrderBook

    @property
    def has_api(self) -> bool:
        """True where it answers HTTP."""
        return "api" in self.process.roles

    def order(self, *orders: Order) -> None:
        """Give the node orders for its doors, in the place of those it has."""
        self.book.write(orders)

    def kill(self) -> None:
        """SIGKILL it: it has no last word."""
        self.process.kill()

    def kill_keeper(self) -> None:
        """SIGKILL the keeper of its worker, and nothing else."""
        for child in self._psutil().children():
            with suppress(psutil.NoSuchProcess):
                if any("keeper" in part for part in child.cmdline()):
                    child.kill()

    def await_death(self) -> None:
        """Return when the process has ended, where it was to kill itself: it says so before, and may die slowly."""
        process = self.process.process
        if process is not None and any(
            one.action is Action.KILL and one.pid == process.pid for one in self.book.obeyed
        ):
            process.wait(DYING_SECONDS)

    def pause(self) -> None:
        """SIGSTOP the node; its keeper goes on."""
        assert self.process.process is not None
        self.process.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        if self.process.is_running:
            assert self.process.process is not None
            self.process.process.send_signal(signal.SIGCONT)

    def heal(self) -> None:
        """Take back its orders, mend its wires, and wake it; it may still have to be started."""
        self.book.write([])
        for link in self.links.values():
            link.heal()
        self.resume()

    def destroy(self) -> None:
        """End whatever is left of it."""
        self.resume()
        self.process.destroy()
        for link in self.links.values():
            link.close()

    def _psutil(self) -> psutil.Process:
        assert self.process.process is not None
        return psutil.Process(self.process.process.pid)
