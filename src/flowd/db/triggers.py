"""Triggers: which worker runs those of deferred tasks, under a lease, and what becomes of what they fire."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from flowd.db.ledger import read, write
from flowd.db.ledger.read import as_json
from flowd.db.moments import to_db
from flowd.db.transaction import Transaction
from flowd.domain.deferral import Resume, TriggerSpec, resume_from_json, resume_to_json
from flowd.domain.ids import BundleHash, ClaimToken, InstanceKey, RunKey
from flowd.domain.task_events import Triggered
from flowd.domain.task_instance import TaskInstance

_CLAIM = {"instance": "int", "token": "text", "worker": "text", "until": "int", "now": "int"}
_KEY = {"instance": "int", "token": "text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTrigger:
    """A trigger that a worker is to run, known by the token of the leg that deferred itself.

    `bundle` is where its class is; None is a library, or flowd itself.
    """

    token: ClaimToken
    trigger: TriggerSpec
    bundle: BundleHash | None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What came of a trigger, as JSON values: the payload of its event, what ends the task instead, or its failure.

    `event_id` is there where a trigger may have many events: the same event told twice has the same.
    """

    event: Any = None
    event_id: str | None = None
    failure: str | None = None
    ends_as: str | None = None
    xcoms: Mapping[str, Any] = field(default_factory=dict)


async def is_any(tx: Transaction) -> bool:
    """Return whether any trigger is to be run, by whomever."""
    return (await tx.execute("SELECT instance FROM deferral WHERE is_open LIMIT 1")).first() is not None


async def hold(tx: Transaction, worker: str, lease: timedelta, *, limit: int) -> list[HeldTrigger]:
    """Give the worker the triggers it runs already and others that nobody runs, up to `limit`, and return them all.

    Their leases last from now on. Triggers of instances that wait for them no longer are closed.
    """
    now = to_db(await tx.now())
    found = (
        (
            await tx.execute(
                "SELECT instance, token, try_number, leg, classpath, kwargs, file, is_in_bundle FROM deferral"
                " WHERE is_open AND (triggerer IS NULL OR triggerer = :worker OR lease_until < :now)"
                " ORDER BY CASE WHEN triggerer = :worker THEN 0 ELSE 1 END, instance LIMIT :limit",
                {"worker": worker, "now": now, "limit": limit},
            )
        )
        .mappings()
        .all()
    )
    waiting = await _waiting(tx, [row["instance"] for row in found])
    bundles = {row["token"]: waiting.get((row["instance"], row["try_number"], row["leg"])) for row in found}
    await _close(tx, {row["instance"]: row["token"] for row in found if bundles[row["token"]] is None})
    awaited = [row for row in found if bundles[row["token"]] is not None]
    if not awaited:
        return []
    claims = [
        {
            "instance": row["instance"],
            "token": row["token"],
            "worker": worker,
            "until": now + lease // timedelta(microseconds=1),
            "now": now,
        }
        for row in awaited
    ]
    await tx.execute(
        tx.dialect.update(
            "deferral",
            {"triggerer": "r.worker", "lease_until": "r.until"},
            rows=tx.dialect.rows(_CLAIM),
            where="deferral.instance = r.instance AND deferral.token = r.token AND deferral.is_open"
            " AND (deferral.triggerer IS NULL OR deferral.triggerer = r.worker OR deferral.lease_until < r.now)",
        ),
        {"rows": as_json(claims)},
    )
    # Another may have taken some between the two statements.
    taken = {
        token
        for (token,) in await tx.execute(
            "SELECT token FROM deferral WHERE is_open AND triggerer = :worker", {"worker": worker}
        )
    }
    return [
        HeldTrigger(
            token=ClaimToken(row["token"]),
            trigger=TriggerSpec(
                classpath=row["classpath"],
                kwargs=json.loads(row["kwargs"]),
                file=row["file"],
                is_in_bundle=bool(row["is_in_bundle"]),
            ),
            bundle=bundles[row["token"]] if row["is_in_bundle"] else None,
        )
        for row in awaited
        if row["token"] in taken
    ]


async def give_back(tx: Transaction, worker: str) -> None:
    """Let others take what this worker runs."""
    await tx.execute(
        "UPDATE deferral SET triggerer = NULL, lease_until = NULL WHERE triggerer = :worker AND is_open",
        {"worker": worker},
    )


async def settle(tx: Transaction, token: ClaimToken, news: News) -> RunKey | None:
    """Let the instance that was deferred under `token` go on with this; return its run, None where it no longer waits.

    Of any number of answers under one token the first counts.
    """
    row = (await tx.execute("SELECT instance FROM deferral WHERE token = :token", {"token": token})).first()
    if row is None:
        return None
    key = InstanceKey(row[0])
    # The instance is locked first: whoever defers it again does so too, before the deferral.
    held, now = await read.hold(tx, [key])
    stored = (
        await tx.execute(
            "SELECT try_number, leg, resume FROM deferral WHERE instance = :key AND token = :token",
            {"key": key, "token": token},
        )
    ).first()
    if stored is None or key not in held:
        return None
    try_number, leg, text = stored
    (answer,) = await write.apply(tx, [(held[key], Triggered(try_number, leg))], now)
    if not isinstance(answer, TaskInstance):
        return None
    await tx.execute(
        "UPDATE deferral SET resume = :resume, is_open = :closed WHERE instance = :key",
        {
            "resume": json.dumps(resume_to_json(_resumed(resume_from_json(json.loads(text)), news))),
            "closed": False,
            "key": key,
        },
    )
    return answer.run


def _resumed(otherwise: Resume, news: News) -> Resume:
    return replace(
        otherwise,
        event=news.event,
        failure=news.failure,
        is_timeout=False,
        ends_as=news.ends_as,
        xcoms=news.xcoms,
    )


async def _waiting(tx: Transaction, instances: list[int]) -> dict[tuple[int, int, int], BundleHash]:
    """Return the bundles of those that wait for a trigger, by instance, try and leg.

    Asked by their keys and apart from the triggers: as one statement some databases begin with all of history.
    """
    rows = await tx.execute(
        "SELECT t.id, t.try_number, t.leg, d.bundle FROM task_instance t JOIN dag_run d ON d.id = t.run"
        f" WHERE t.id IN {tx.dialect.keys()} AND t.state = 'deferred'",
        {"keys": json.dumps(instances)},
    )
    return {(key, try_number, leg): BundleHash(bundle) for key, try_number, leg, bundle in rows}


async def _close(tx: Transaction, tokens: Mapping[int, str]) -> None:
    if tokens:
        await tx.execute(
            tx.dialect.update(
                "deferral",
                {"is_open": "(1 = 0)"},
                rows=tx.dialect.rows(_KEY),
                where="deferral.instance = r.instance AND deferral.token = r.token",
            ),
            {"rows": as_json([{"instance": key, "token": token} for key, token in tokens.items()])},
        )
