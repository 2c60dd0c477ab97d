"""Link: the wire between one node and one server, to be broken while the scenario goes on."""

import inspect
from collections.abc import Awaitable, Callable

from tests.faults.harness.loop_thread import LoopThread
from tests.support.tcp_proxy import TcpProxy

Harm = Callable[[TcpProxy], Awaitable[None] | None]
"""Something that a scenario does to a wire, such as `TcpProxy.sever`."""


class Link:
    """A proxy that lives in the loop of the wires."""

    def __init__(self, wires: LoopThread, port: int) -> None:
        self._wires = wires
        self._proxy = TcpProxy("127.0.0.1", port)
        self.act(TcpProxy.__aenter__)

    @property
    def port(self) -> int:
        """Where the node connects to."""
        return self._proxy.port

    @property
    def accepted(self) -> int:
        """How many connections were made through it so far."""
        return self._proxy.accepted

    @property
    def lost_answers(self) -> int:
        """How many answers it has kept from the node."""
        return self._proxy.lost_answers

    def act(self, harm: "Callable[[TcpProxy], Awaitable[object] | None]") -> None:
        """Do something to the proxy, and return when it is done."""

        async def work() -> None:
            done = harm(self._proxy)
            if inspect.isawaitable(done):
                await done

        self._wires.call(work())

    def heal(self) -> None:
        """Mend it."""
        self.act(TcpProxy.heal)

    def close(self) -> None:
        """Cut everything and stop listening."""
        self.act(lambda proxy: proxy.__aexit__(None, None, None))
