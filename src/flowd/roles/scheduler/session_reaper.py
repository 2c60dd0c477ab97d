"""SessionReaper: frees the locks of nodes that froze in the middle of a statement."""

from datetime import timedelta

import structlog

from flowd.db import engine
from flowd.db.frozen_sessions import end_frozen_sessions
from flowd.db.metastore import Metastore
from flowd.roles.loop import Loop

log = structlog.get_logger(__name__)

_LOOKS = 4
"""In the time for which a session may be frozen."""


class SessionReaper:
    """Looks at PostgreSQL's sessions a few times a minute. The other databases need no help with this."""

    def __init__(self, metastore: Metastore) -> None:
        every = timedelta(seconds=engine.IDLE_IN_TRANSACTION_SECONDS) / _LOOKS
        self.loop = Loop("SessionReaper", self.step, every)
        self._metastore = metastore

    async def step(self) -> bool:
        """End the sessions that are frozen now."""
        async with self._metastore.glance() as tx:
            ended = await end_frozen_sessions(tx)
        if ended:
            log.warning("sessions of frozen nodes ended", sessions=ended)
        return False
