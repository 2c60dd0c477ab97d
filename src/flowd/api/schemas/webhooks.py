"""Shapes of webhooks."""

from datetime import datetime
from typing import Self

from pydantic import Field

from flowd.api.schemas.base import Body, Shape
from flowd.db.webhooks import Webhook
from flowd.security.webhook_signature import Scheme

WEEK_SECONDS = 7 * 24 * 3600
_SECRET = Field(default=None, max_length=500, description="One that the sender has made; else it is made here.")


class WebhookResponse(Shape):
    """A webhook; `path` is where its deliveries go."""

    name: str
    path: str
    dag_id: str
    scheme: Scheme
    deliveries_per_minute: int
    created_at: datetime
    rotated_at: datetime | None

    @classmethod
    def of(cls, one: Webhook) -> Self:
        """Return the shape of a webhook."""
        return cls(
            name=one.name,
            path=f"/webhooks/{one.name}",
            dag_id=one.dag_id,
            scheme=one.scheme,
            deliveries_per_minute=one.deliveries_per_minute,
            created_at=one.created_at,
            rotated_at=one.rotated_at,
        )


class WebhookCollectionResponse(Shape):
    """A page of webhooks."""

    webhooks: list[WebhookResponse]
    total_entries: int


class WebhookSecretResponse(WebhookResponse):
    """A webhook with its secret, which is shown this once."""

    secret: str

    @classmethod
    def of_secret(cls, secret: str, one: Webhook) -> Self:
        """Return the shape of both."""
        return cls(**WebhookResponse.of(one).model_dump(), secret=secret)


class WebhookBody(Body):
    """A new webhook."""

    name: str = Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_.-]+$")
    dag_id: str
    scheme: Scheme = Scheme.STANDARD
    deliveries_per_minute: int = Field(60, ge=1, le=10_000)
    secret: str | None = _SECRET


class RotateWebhookBody(Body):
    """For how long the secret from before is good as well."""

    overlap_seconds: int = Field(0, ge=0, le=WEEK_SECONDS)
    secret: str | None = _SECRET


class DeliveryResponse(Shape):
    """The run that a delivery has made, now or the first time that it came."""

    dag_id: str
    dag_run_id: str
