"""Supervision: what holds for code of DAG authors in every process that a keeper has started."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flowd.child.channel import ChannelClosed
from flowd.sdk.secret_values import secrets_told_to
from flowd.sdk.supervisor import Supervisor, supervised_by


@contextmanager
def kept(channel: Supervisor) -> Iterator[None]:
    """Let the code within ask over `channel`, and let the keeper mask in the log whatever secret it is given.

    The keeper has confirmed a secret before the code has it: what the code or a subprocess of it prints comes later.
    """

    def mask(secret: str) -> None:
        # A process that the task itself forked has no channel; and without a keeper there is no log.
        with suppress(ChannelClosed):
            channel.request("mask", secret=secret)

    with supervised_by(channel), secrets_told_to(mask):
        yield
