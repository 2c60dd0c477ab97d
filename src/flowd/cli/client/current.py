"""api: the API that the command speaks to. What it takes to speak is imported when somebody asks."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from flowd.cli.client.target import chosen_server

if TYPE_CHECKING:
    from flowd.cli.client.api import Api


class _Session:
    """The API of one command, once it has asked for it."""

    def __init__(self, closing: ExitStack) -> None:
        self.closing = closing
        self.api: Api | None = None


_CURRENT: ContextVar[_Session] = ContextVar("current")


@contextmanager
def api_session() -> Iterator[None]:
    """A command, within which `api()` is one and the same; it is closed at the end."""
    with ExitStack() as closing:
        before = _CURRENT.set(_Session(closing))
        try:
            yield
        finally:
            _CURRENT.reset(before)


def api() -> "Api":
    """Return the API of this command, opened when it is first asked for."""
    from flowd.cli.client.api import open_api

    session = _CURRENT.get()
    if session.api is None:
        session.api = session.closing.enter_context(open_api(chosen_server()))
    return session.api
