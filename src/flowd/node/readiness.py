"""Readiness: whether a load balancer should send this node requests, and which part is not ready."""

from collections.abc import Callable, Mapping

from flowd.roles.loop import Bell

LOOK_SECONDS = 0.02


class Readiness:
    """Asks the roles. A draining node is never ready."""

    def __init__(self, parts: Callable[[], Mapping[str, bool]]) -> None:
        self._parts = parts
        self._is_draining = False
        self._bell = Bell()

    def drain(self) -> None:
        """Be unready from now on."""
        self._is_draining = True

    async def wait(self) -> None:
        """Return once every role of this node has begun."""
        while not all(self._parts().values()):
            await self._bell.wait(LOOK_SECONDS)

    async def problems(self) -> dict[str, str]:
        """Return which roles are not ready, each with its reason; empty where all are."""
        problems = {name: "not ready yet" for name, is_ready in self._parts().items() if not is_ready}
        if self._is_draining:
            problems["node"] = "draining"
        return problems
