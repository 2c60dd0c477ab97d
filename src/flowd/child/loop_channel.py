"""LoopChannel: a process's channel to the node, for many coroutines and threads at once."""

import asyncio
import os
import select
import threading
from typing import Any

from flowd.child.channel import ChannelClosed, ChannelError
from flowd.child.frames import Decoder, Frame, encode

_CHUNK_BYTES = 64 * 1024


class LoopChannel:
    """Requests of one event loop, of its threads, and of code that blocks within the loop. Made within the loop."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._decoder = Decoder()
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._last_number = 0
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._loop.add_reader(descriptor, self._on_readable)

    def request(self, op: str, **fields: Any) -> dict[str, Any]:
        """Ask, wait for the answer and return it, as `Channel.request` does.

        Called in the loop's own thread it stops the loop meanwhile, as any blocking call there does.
        """
        if threading.get_ident() != self._loop_thread:
            return asyncio.run_coroutine_threadsafe(self.ask(op, **fields), self._loop).result()
        reply = self._send(op, fields)
        while not reply.done():
            self._read()
        return self._checked(op, reply.result())

    async def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """Ask and return the answer; raise ChannelError for a refusal, ChannelClosed where nobody answers."""
        return self._checked(op, await self._send(op, fields))

    def _send(self, op: str, fields: dict[str, Any]) -> asyncio.Future[Frame]:
        self._last_number += 1
        number = self._last_number
        octets = encode({"op": op, "n": number, **fields})
        reply: asyncio.Future[Frame] = self._loop.create_future()
        self._waiting[number] = reply
        try:
            sent = 0
            while sent < len(octets):
                sent += os.write(self._descriptor, memoryview(octets)[sent:])
        except OSError as error:
            raise ChannelClosed(f"the keeper cannot be reached: {error}") from error
        return reply

    def _on_readable(self) -> None:
        # What the loop saw to be there may have been read since, by a request that blocks within it: without this the
        # read would stop the loop until somebody happens to write.
        if self._poll.poll(0):
            self._read()

    def _read(self) -> None:
        try:
            received = os.read(self._descriptor, _CHUNK_BYTES)
        except OSError:
            received = b""
        if not received:
            self._loop.remove_reader(self._descriptor)
            for reply in self._waiting.values():
                if not reply.done():
                    reply.set_exception(ChannelClosed("the keeper closed the channel"))
            self._waiting.clear()
            return
        for frame in self._decoder.feed(received):
            waiting = self._waiting.pop(frame.get("n", 0), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(frame)

    @staticmethod
    def _checked(op: str, reply: Frame) -> dict[str, Any]:
        if "error" in reply:
            raise ChannelError(f"{op}: {reply['error']}")
        return reply
