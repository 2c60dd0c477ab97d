"""receive_webhook: a delivery that was signed well triggers a DAG, once."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from flowd.actions.backends import Backends
from flowd.actions.trigger_run import trigger_run
from flowd.db.webhooks import OpenWebhook, Webhook
from flowd.domain.dag_run import DagRun
from flowd.domain.errors import InvalidInput, Unauthorised
from flowd.domain.ids import DagId
from flowd.domain.states import TriggeredBy
from flowd.security.webhook_signature import verify

_KEY = "webhook:"
"""Begins the idempotency keys of deliveries."""


def delivery_of(backends: Backends, found: OpenWebhook | None, headers: Mapping[str, str], body: bytes) -> str:
    """Return the id of a delivery; raise Unauthorised for one that is not signed well, or whose webhook is not there.

    Which of the two it was, nobody is told.
    """
    if found is None:
        raise Unauthorised("the signature of the delivery is not the webhook's")
    return verify(found.webhook.scheme, found.secrets, headers, body, backends.clock.now())


async def receive_webhook(backends: Backends, webhook: Webhook, delivery: str, conf: Mapping[str, Any]) -> DagRun:
    """Make a run with this conf, and return it; the same delivery returns the run that it made the first time.

    Raises what trigger_run raises.
    """
    name = webhook.name
    return await trigger_run(
        backends,
        dag_id=DagId(webhook.dag_id),
        triggered_by=TriggeredBy.REST_API,
        conf=conf,
        user=f"webhook {name}",
        idempotency_key=_KEY + hashlib.sha256(f"{name}\0{delivery}".encode()).hexdigest(),
    )


def conf_of(body: bytes) -> dict[str, Any]:
    """Return the conf that a body is, empty for none; raise InvalidInput where it is no JSON object."""
    if not body.strip():
        return {}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidInput("the body of the delivery is no JSON; set its sender to application/json") from None
    if not isinstance(document, dict):
        raise InvalidInput(f"the body of the delivery is a JSON {type(document).__name__}; wanted an object")
    return document
