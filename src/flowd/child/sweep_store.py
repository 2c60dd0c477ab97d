"""Entry point of a process that deletes stored XCom values to which nothing refers any more."""

import logging
import os
from collections.abc import Mapping
from typing import Any

from flowd.child.channel import Channel
from flowd.child.supervision import kept
from flowd.child.task_log import log_to_stdout
from flowd.domain.stored_value import PATH_VARIABLE
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.xcom_store import is_in_store, remove

log = logging.getLogger(__name__)


def main(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Delete what is at the URLs of `payload["values"]`, by name; the result is the names of those that are done with.

    One that cannot be deleted is logged, and the next is deleted all the same. What is not in the store of this
    process's environment stays where it is.
    """
    log_to_stdout()
    store = os.environ.get(PATH_VARIABLE, "")
    gone: list[str] = []
    with kept(channel):
        for name, url in payload["values"].items():
            if not is_in_store(url, store):
                log.warning("%s is not in %s: it stays, and is forgotten", url, store)
                gone.append(name)
                continue
            try:
                remove(url, store)
            except AirflowException as error:
                log.warning("%s", error)
            else:
                gone.append(name)
    channel.send_result({"gone": gone})
