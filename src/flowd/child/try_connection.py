"""Entry point of a process that speaks to what one connection names, and reports how it answered."""

from collections.abc import Mapping
from typing import Any

from flowd.child.channel import Channel
from flowd.child.supervision import kept
from flowd.child.task_log import log_to_stdout
from flowd.operators.services.connection_test import answer_of
from flowd.sdk.connection import Connection
from flowd.sdk.dag_file import prepare
from flowd.sdk.secret_values import masked

LONGEST_MESSAGE = 1_000


def main(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Send `is_ok` and a `message` about the connection `payload["conn_id"]`, whose secrets have stars in it."""
    log_to_stdout()
    # The hooks of installed providers import airflow.
    prepare(None)
    with kept(channel):
        is_ok, message = _answer_of(payload["conn_id"])
    # Masked as a whole: of a secret that is cut in two, a half would be shown.
    channel.send_result({"is_ok": is_ok, "message": masked(message)[:LONGEST_MESSAGE]})


def _answer_of(conn_id: str) -> tuple[bool, str]:
    try:
        return answer_of(Connection.get(conn_id))
    except MemoryError:
        return False, "what it was answered takes more memory than a test may"
    except Exception as error:
        return False, f"{type(error).__name__}: {error}"
