"""fire: runs the trigger of a deferred task in this very process, where a worker would run it beside others."""

import asyncio
import logging
import os
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flowd.db.triggers import News
from flowd.domain.deferral import TriggerSpec
from flowd.local_run.in_process import Answer, LocalChannel
from flowd.sdk.supervisor import supervised_by
from flowd.sdk.trigger_class import first_event, make_trigger

log = logging.getLogger(__name__)


def fire(result: Mapping[str, Any] | None, dag_file: str, answer: Answer) -> News | None:
    """Run the trigger that a try's result asks for until it fires; None where there is none, or its time is over."""
    stored = ((result or {}).get("deferral") or {}).get("trigger")
    if stored is None:
        return None
    trigger, until = TriggerSpec(**stored), (result or {}).get("until")
    log.info("deferred until %s fires", trigger.classpath)
    with supervised_by(LocalChannel(answer)):
        return asyncio.run(_fire(trigger, os.path.dirname(dag_file), until))


async def _fire(trigger: TriggerSpec, root: str, until: str | None) -> News | None:
    left = None if until is None else (datetime.fromisoformat(until) - datetime.now(UTC)).total_seconds()
    made_of = root if trigger.is_in_bundle else None
    try:
        async with asyncio.timeout(left) as limit:
            made = make_trigger(trigger.classpath, trigger.kwargs, root=made_of, file=trigger.file)
            return News(**await first_event(made))
    except TimeoutError:
        return None if limit.expired() else News(failure=traceback.format_exc())
    except Exception:
        return News(failure=traceback.format_exc())
