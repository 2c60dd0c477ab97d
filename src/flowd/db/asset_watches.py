"""Triggers of asset watchers: which worker runs each, under a lease, and the asset events that come of them."""

import json
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError

from flowd.db import assets
from flowd.db.insert_missing import insert_missing
from flowd.db.ledger.read import as_json
from flowd.db.moments import to_db
from flowd.db.transaction import Transaction
from flowd.db.triggers import HeldTrigger
from flowd.domain.assets import AssetNews, AssetSpec
from flowd.domain.deferral import TriggerSpec
from flowd.domain.errors import Conflict
from flowd.domain.ids import BundleHash, ClaimToken

_LEASE = {"watch": "text", "worker": "text", "until": "int", "now": "int"}

_WATCHED = (
    "SELECT w.watch, MIN(w.id) AS id FROM asset_watcher w"
    " JOIN dag d ON d.dag_id = w.dag_id AND d.is_active AND NOT d.is_paused GROUP BY w.watch"
)
"""What is to run, each by one of the DAGs that want it."""


async def is_any(tx: Transaction) -> bool:
    """Return whether any DAG has ever wanted a watcher that it still has."""
    return (await tx.execute("SELECT id FROM asset_watcher LIMIT 1")).first() is not None


async def is_any_wanted(tx: Transaction) -> bool:
    """Return whether any watcher is to run now, by whomever."""
    return (await tx.execute(f"{_WATCHED} LIMIT 1")).first() is not None


async def hold(tx: Transaction, worker: str, lease: timedelta, *, limit: int) -> list[HeldTrigger]:
    """Give the worker the triggers it runs already and others that nobody runs, up to `limit`, and return them all.

    A trigger is to run while a DAG in service, not paused, is scheduled by an asset that it watches. The leases last
    from now on; those of triggers that nobody wants any more end.
    """
    now = to_db(await tx.now())
    found = list(
        await tx.execute(
            f"SELECT o.watch, o.id FROM ({_WATCHED}) o LEFT JOIN asset_watch l ON l.watch = o.watch"
            " WHERE l.triggerer IS NULL OR l.triggerer = :worker OR l.lease_until < :now"
            " ORDER BY CASE WHEN l.triggerer = :worker THEN 0 ELSE 1 END, o.watch LIMIT :limit",
            {"worker": worker, "now": now, "limit": limit},
        )
    )
    await _end_unwanted(tx, worker, now)
    if not found:
        return []
    until = now + lease // timedelta(microseconds=1)
    leases = [{"watch": watch, "worker": worker, "until": until, "now": now} for watch, _ in sorted(found)]
    await insert_missing(tx, "asset_watch", {"watch": "text"}, [{"watch": one["watch"]} for one in leases])
    await tx.execute(
        tx.dialect.update(
            "asset_watch",
            {"triggerer": "r.worker", "lease_until": "r.until"},
            rows=tx.dialect.rows(_LEASE),
            where="asset_watch.watch = r.watch AND (asset_watch.triggerer IS NULL"
            " OR asset_watch.triggerer = r.worker OR asset_watch.lease_until < r.now)",
        ),
        {"rows": as_json(leases)},
    )
    rows = await tx.execute(
        # Another may have taken some between the two statements.
        "SELECT w.watch, w.classpath, w.kwargs, w.file, w.is_in_bundle, d.bundle FROM asset_watcher w"
        " JOIN dag d ON d.dag_id = w.dag_id JOIN asset_watch l ON l.watch = w.watch AND l.triggerer = :worker"
        f" WHERE w.id IN {tx.dialect.keys()} ORDER BY w.watch",
        {"worker": worker, "keys": json.dumps([id_ for _, id_ in found])},
    )
    return [
        HeldTrigger(
            token=ClaimToken(watch),
            trigger=TriggerSpec(
                classpath=classpath, kwargs=json.loads(kwargs), file=file, is_in_bundle=bool(is_in_bundle)
            ),
            bundle=BundleHash(bundle) if is_in_bundle else None,
        )
        for watch, classpath, kwargs, file, is_in_bundle, bundle in rows
    ]


async def give_back(tx: Transaction, worker: str) -> None:
    """Let others take what this worker runs."""
    await tx.execute(
        "UPDATE asset_watch SET triggerer = NULL, lease_until = NULL WHERE triggerer = :worker", {"worker": worker}
    )


async def record(tx: Transaction, watch: ClaimToken, event_id: str, payload: Any) -> int:
    """Write the event for every asset that the trigger watches; return for how many, 0 where it watches none any more.

    Who is late is heard, too: what the trigger has seen has happened. Raises Conflict where the event of this id is
    written already, by the same teller whose answer was lost: there is nothing more to do.
    """
    rows = await tx.execute(
        "SELECT DISTINCT a.id, a.name, a.uri, a.asset_group FROM asset_watcher w JOIN asset a ON a.name = w.asset"
        " WHERE w.watch = :watch ORDER BY a.name",
        {"watch": watch},
    )
    made = [
        assets.Made(
            instance=None,
            news=AssetNews(
                asset=AssetSpec(name=name, uri=uri, group=group), extra={"from_trigger": True, "payload": payload}
            ),
            request=f"{event_id}:{asset}",
        )
        for asset, name, uri, group in rows
    ]
    try:
        return len(await assets.record(tx, made, await tx.now()))
    except IntegrityError as error:
        raise Conflict(f"event {event_id} of a watcher is written already") from error


async def _end_unwanted(tx: Transaction, worker: str, now: int) -> None:
    """End the worker's own leases, and those of nobody, on triggers that are not to run; mostly there are none."""
    unwanted = await tx.execute(
        f"SELECT l.watch FROM asset_watch l LEFT JOIN ({_WATCHED}) o ON o.watch = l.watch"
        " WHERE o.watch IS NULL AND (l.triggerer IS NULL OR l.triggerer = :worker OR l.lease_until < :now)",
        {"worker": worker, "now": now},
    )
    keys = [watch for (watch,) in unwanted]
    if keys:
        await tx.execute(
            f"DELETE FROM asset_watch WHERE watch IN {tx.dialect.keys(type_='text')}", {"keys": json.dumps(keys)}
        )
