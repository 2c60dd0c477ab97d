"""Webhooks: which DAG each triggers, and the secret that its sender signs with, encrypted at rest."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from flowd.db.metastore import Metastore
from flowd.db.moments import from_db, to_db
from flowd.db.tables import webhook
from flowd.db.transaction import Transaction
from flowd.domain.errors import Conflict, NotFound
from flowd.security.vault import Sealed, Vault
from flowd.security.webhook_signature import Scheme, check_secret, new_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook as it may be shown."""

    name: str
    dag_id: str
    scheme: Scheme
    deliveries_per_minute: int
    created_at: datetime
    rotated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWebhook:
    """A webhook with the secrets that are good now: the newest and, for a while after a rotation, the one before."""

    webhook: Webhook
    secrets: Sequence[str]


class Webhooks:
    """The webhooks in the metastore. Every method is one transaction."""

    def __init__(self, metastore: Metastore, vault: Vault) -> None:
        self._metastore = metastore
        self._vault = vault

    async def create(
        self, name: str, dag_id: str, scheme: Scheme, deliveries_per_minute: int, secret: str | None = None
    ) -> tuple[str, Webhook]:
        """Return the secret, a new one where none is given, and what is kept; raise Conflict for a name that is taken.

        Nobody is ever shown the secret again. Raises InvalidInput for one that cannot be used.
        """
        if secret is None:
            secret = new_secret()
        check_secret(scheme, secret)
        try:
            async with self._metastore.transaction() as tx:
                row = {
                    "name": name,
                    "dag_id": dag_id,
                    "scheme": scheme.value,
                    "deliveries_per_minute": deliveries_per_minute,
                    "secret": self._vault.encrypt(secret),
                    "created_at": to_db(await tx.now()),
                }
                await tx.execute(insert(webhook).values(row))
                told = {key: row[key] for key in ("dag_id", "scheme", "deliveries_per_minute")}
                tx.tell(f"webhook {name}", None, told)
        except IntegrityError as error:
            raise Conflict(f"webhook {name!r} exists already; delete it, or choose another name") from error
        return secret, _shown({**row, "rotated_at": None})

    async def list(self) -> list[Webhook]:
        """Return every webhook, by name."""
        async with self._metastore.reading() as tx:
            return [_shown(row) for row in (await tx.execute(select(webhook).order_by(webhook.c.name))).mappings()]

    async def get(self, name: str) -> Webhook:
        """Return one; raise NotFound."""
        async with self._metastore.reading() as tx:
            return _shown(await _row(tx, name))

    async def opened(self, name: str) -> OpenWebhook | None:
        """Return one with its secrets, None where there is none; raise Sealed where no key opens the newest.

        The one before is left out where no key opens it: it was given up, most likely because of that.
        """
        async with self._metastore.reading() as tx:
            row = (await tx.execute(select(webhook).where(webhook.c.name == name))).mappings().one_or_none()
            now = to_db(await tx.now())
        if row is None:
            return None
        secrets = [self._vault.decrypt(row["secret"], f"the secret of webhook {name!r}")]
        if row["previous_secret"] is not None and now < row["previous_until"]:
            with suppress(Sealed):
                secrets.append(self._vault.decrypt(row["previous_secret"], f"the former secret of webhook {name!r}"))
        return OpenWebhook(webhook=_shown(row), secrets=secrets)

    async def rotate(self, name: str, overlap: timedelta, secret: str | None = None) -> tuple[str, Webhook]:
        """Return another secret, and the webhook; the one before is good for `overlap` more. Raises NotFound."""
        async with self._metastore.transaction() as tx:
            row = await _row(tx, name)
            if secret is None:
                secret = new_secret()
            check_secret(Scheme(row["scheme"]), secret)
            now = await tx.now()
            values = {
                "secret": self._vault.encrypt(secret),
                "previous_secret": row["secret"],
                "previous_until": to_db(now + overlap),
                "rotated_at": to_db(now),
            }
            await tx.execute(update(webhook).where(webhook.c.name == name).values(values))
            tx.tell(f"secret of webhook {name}", {}, {"overlap_seconds": overlap.total_seconds()})
        return secret, _shown({**row, "rotated_at": values["rotated_at"]})

    async def delete(self, name: str) -> None:
        """Let nothing in by it any more; raise NotFound."""
        async with self._metastore.transaction() as tx:
            row = await _row(tx, name)
            await tx.execute(delete(webhook).where(webhook.c.name == name))
            tx.tell(f"webhook {name}", {"dag_id": row["dag_id"]}, None)

    async def reseal(self) -> int:
        """Encrypt every secret with the first key, all or none; return how many webhooks there are."""
        async with self._metastore.transaction() as tx:
            rows = (await tx.execute(select(webhook))).mappings().all()
            now = to_db(await tx.now())
            for row in rows:
                what = f"the secret of webhook {row['name']!r}"
                sealed: dict[str, Any] = {"secret": self._vault.rotate(row["secret"], what)}
                if row["previous_secret"] is not None:
                    is_good = now < row["previous_until"]
                    sealed["previous_secret"] = self._vault.rotate(row["previous_secret"], what) if is_good else None
                # Only what was read: a secret made meanwhile is under the first key already.
                is_it = (webhook.c.name == row["name"]) & (webhook.c.secret == row["secret"])
                await tx.execute(update(webhook).where(is_it).values(sealed))
            return len(rows)


async def _row(tx: Transaction, name: str) -> Any:
    row = (await tx.execute(select(webhook).where(webhook.c.name == name))).mappings().one_or_none()
    if row is None:
        raise NotFound(f"The Webhook with name: `{name}` was not found")
    return row


def _shown(row: Any) -> Webhook:
    return Webhook(
        name=row["name"],
        dag_id=row["dag_id"],
        scheme=Scheme(row["scheme"]),
        deliveries_per_minute=row["deliveries_per_minute"],
        created_at=from_db(row["created_at"]),
        rotated_at=from_db(row["rotated_at"]),
    )
