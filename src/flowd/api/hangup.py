"""Hangup: nobody works for a client that has left."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowd.queue.structured import alongside


class Hangup:
    """ASGI middleware: a GET whose client closes its connection is broken off, and its database query with it.

    What changes something is carried out to its end: whether it was is what its client will ask next.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        received = [await receive()]
        if received[0].get("more_body"):
            # No browser and no client sends a GET so long; whether this one leaves can only be heard behind its body.
            await self._app(scope, _preceded_by(received, receive), send)
            return
        is_answered = False
        has_left = asyncio.Event()

        async def leave() -> Message:
            await has_left.wait()
            return {"type": "http.disconnect"}

        async def send_noting_the_end(message: Message) -> None:
            nonlocal is_answered
            await send(message)
            is_answered = message["type"] == "http.response.body" and not message.get("more_body")

        async def listen() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            has_left.set()
            # The server says so too where the answer is complete: what is done behind it is not broken off.
            if not is_answered:
                raise _HasLeft

        try:
            async with alongside(listen()):
                await self._app(scope, _preceded_by(received, leave), send_noting_the_end)
        except* _HasLeft:
            pass


class _HasLeft(Exception):
    """The client has closed its connection."""


def _preceded_by(received: list[Message], receive: Receive) -> Receive:
    async def receive_next() -> Message:
        return received.pop() if received else await receive()

    return receive_next
