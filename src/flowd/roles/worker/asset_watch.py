"""AssetWatch: runs the triggers that watch assets, each on one worker at a time, and writes their events."""

from datetime import timedelta

import structlog

from flowd.db import asset_watches
from flowd.db.metastore import Metastore
from flowd.db.triggers import News
from flowd.domain.errors import Conflict
from flowd.domain.ids import ClaimToken
from flowd.roles.backoff import patiently
from flowd.roles.worker.trigger_holder import TriggerHolder
from flowd.roles.worker.trigger_processes import MakeProcess

log = structlog.get_logger(__name__)


class AssetWatch(TriggerHolder):
    """Holds triggers of watchers, and writes each of their events once.

    A trigger is held up at its event until that is written; what it had not yielded yet when its process died is its
    own to find again.
    """

    def __init__(
        self, metastore: Metastore, make_process: MakeProcess, *, name: str, interval: timedelta, lease: timedelta
    ) -> None:
        super().__init__(metastore, asset_watches, make_process, name=name, interval=interval, lease=lease)

    async def _fired(self, token: ClaimToken, news: News) -> None:
        """Write the event."""
        if news.event_id is None:
            log.warning("the trigger of an asset watcher failed and is run again", watch=token, error=news.failure)
            return
        event_id = news.event_id

        async def attempt() -> int:
            async with self._metastore.transaction() as tx:
                return await asset_watches.record(tx, token, event_id, news.event)

        try:
            assets = await patiently("AssetWatch", attempt)
        except Conflict:
            # An answer was lost: the event had been written the first time.
            return
        log.info("asset watcher fired", watch=token, event_id=event_id, assets=assets)
