"""Webhooks: what other systems trigger DAGs with, and the deliveries that they send."""

from datetime import timedelta

import structlog
from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException

from flowd.actions.receive_webhook import conf_of, delivery_of, receive_webhook
from flowd.api.context import ApiContext, Context
from flowd.api.envelope import REQUEST_ID
from flowd.api.guard import ApiRoute
from flowd.api.openapi import ErrorResponse
from flowd.api.schemas.webhooks import (
    DeliveryResponse,
    RotateWebhookBody,
    WebhookBody,
    WebhookCollectionResponse,
    WebhookResponse,
    WebhookSecretResponse,
)
from flowd.api.slices import Ordered
from flowd.api.storable import is_storable
from flowd.api.visit import visit_of
from flowd.db.actor import Actor
from flowd.db.views.dags import get_dag
from flowd.db.webhooks import Webhooks
from flowd.domain.errors import InvalidInput, Unauthorised, Unavailable
from flowd.security.vault import Sealed

log = structlog.get_logger(__name__)

router = APIRouter(route_class=ApiRoute, tags=["Webhook"])
_WEBHOOKS = "/api/v2/webhooks"
_ONE = f"{_WEBHOOKS}/{{webhook_name}}"
_KEYS = {name: lambda one, name=name: getattr(one, name) for name in ("name", "dag_id", "scheme", "created_at")}
_REFUSALS = {
    401: {"model": ErrorResponse, "description": "It is not signed with the secret of such a webhook"},
    404: {"model": ErrorResponse, "description": "The DAG is not there any more"},
    413: {"model": ErrorResponse, "description": "The body is too long"},
    429: {"model": ErrorResponse, "description": "There are too many deliveries"},
}


@router.get(_WEBHOOKS)
async def get_webhooks(context: Context, page: Ordered) -> WebhookCollectionResponse:
    """List webhooks."""
    shapes = [WebhookResponse.of(one) for one in await _webhooks(context).list()]
    return WebhookCollectionResponse(webhooks=page.of(shapes, _KEYS), total_entries=len(shapes))


@router.post(_WEBHOOKS, status_code=201)
async def post_webhook(context: Context, body: WebhookBody) -> WebhookSecretResponse:
    """Make a webhook that triggers a DAG; its secret is shown this once."""
    async with context.backends.metastore.reading() as tx:
        await get_dag(tx, context.cards, body.dag_id)
    made = await _webhooks(context).create(body.name, body.dag_id, body.scheme, body.deliveries_per_minute, body.secret)
    return WebhookSecretResponse.of_secret(*made)


@router.get(_ONE)
async def get_webhook(context: Context, webhook_name: str) -> WebhookResponse:
    """Return a webhook."""
    return WebhookResponse.of(await _webhooks(context).get(webhook_name))


@router.post(f"{_ONE}/rotate")
async def rotate_webhook(context: Context, webhook_name: str, body: RotateWebhookBody) -> WebhookSecretResponse:
    """Give a webhook another secret, which is shown this once; the one before is good for as long as is asked."""
    overlap = timedelta(seconds=body.overlap_seconds)
    return WebhookSecretResponse.of_secret(*await _webhooks(context).rotate(webhook_name, overlap, body.secret))


@router.delete(_ONE, status_code=204)
async def delete_webhook(context: Context, webhook_name: str) -> None:
    """Remove a webhook: its deliveries are refused from now on."""
    await _webhooks(context).delete(webhook_name)


@router.post(
    "/webhooks/{webhook_name}",
    responses=_REFUSALS,  # type: ignore[arg-type]
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def deliver(request: Request, context: Context, webhook_name: str) -> DeliveryResponse:
    """Trigger the DAG of a webhook: the body is the run's conf, and the same delivery makes no second run."""
    address = visit_of(request).address
    context.deliveries.check_address(address)
    body = await request.body()
    try:
        found = await _webhooks(context).opened(webhook_name)
    except Sealed as error:
        # Whoever sends is not known yet, and is told nothing of keys; senders come again after a 503.
        log.error("no delivery of a webhook can be checked", webhook=webhook_name, error=str(error))
        raise Unavailable("deliveries of this webhook cannot be checked now; flowd's log says why") from error
    try:
        delivery = delivery_of(context.backends, found, request.headers, body)
    except Unauthorised as error:
        context.deliveries.count_failure(address)
        raise HTTPException(401, str(error)) from error
    assert found is not None
    context.deliveries.count(webhook_name, found.webhook.deliveries_per_minute)
    conf = conf_of(body)
    if not is_storable(conf):
        raise InvalidInput("the body of the delivery holds NUL or halves of surrogate pairs; wanted text")
    actor = Actor(
        name=f"webhook {webhook_name}",
        event=deliver.__name__,
        request_id=request.scope[REQUEST_ID],
        about={"dag_id": found.webhook.dag_id, "webhook_name": webhook_name},
    )
    run = await receive_webhook(context.acting_for(actor).backends, found.webhook, delivery, conf)
    return DeliveryResponse(dag_id=run.dag_id, dag_run_id=run.run_id)


def _webhooks(context: ApiContext) -> Webhooks:
    return Webhooks(context.backends.metastore, context.vault)
