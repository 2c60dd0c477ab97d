"""Pushed bundles: what is in service under each name, its versions, and the plans that wait to be applied."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from flowd.db import dags
from flowd.db.bundle_tables import bundle, bundle_plan, pushed_bundle, pushed_version
from flowd.db.bundles import fetch_manifest, fetch_packed, pack, unpack
from flowd.db.moments import from_db, to_db
from flowd.db.transaction import Transaction
from flowd.domain.bundle_plan import (
    BundleContent,
    BundlePlan,
    BundleWarning,
    Standing,
    StandingDag,
    UnfinishedRuns,
    plan_to_json,
)
from flowd.domain.dag_spec import dag_from_json, dag_to_json
from flowd.domain.data_interval import DataInterval
from flowd.domain.errors import Conflict, InvalidInput, NotFound
from flowd.domain.ids import BundleHash, DagId

PLAN_AGE = timedelta(days=1)
"""How long a plan can be applied, where nothing has changed."""

SHORTEST_HASH = 8
"""A plan may be named by so many of the first characters of its hash, or more."""

_VERSIONS = select(
    pushed_version, pushed_bundle.c.version.label("current"), bundle.c.size_bytes, bundle.c.manifest
).select_from(
    pushed_version.join(pushed_bundle, pushed_bundle.c.name == pushed_version.c.name).join(
        bundle, bundle.c.hash == pushed_version.c.bundle
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedVersion:
    """A version of a pushed bundle. `plan` is what it changed when it came into service first, as JSON."""

    name: str
    number: int
    bundle: BundleHash
    size_bytes: int
    files: int
    is_current: bool
    pushed_at: datetime
    pushed_by: str | None
    plan: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """A plan as it is kept. `parsed` names the content that tells what the files define."""

    hash: str
    name: str
    bundle: BundleHash
    parsed: str
    to_version: int | None
    plan: Mapping[str, Any]
    made_at: datetime
    applied_version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What parsing a bundle came to, as a content: its hash, and its bytes as they are stored."""

    hash: str
    packed: bytes


def parsed_of(content: BundleContent) -> Parsed:
    """Return what `content` defines as a content: the same for two parses that came to the same."""
    document = {
        "dags": [dag_to_json(dag) for dag in content.dags],
        "errors": dict(content.errors),
        "warnings": [{"file": one.file, "line": one.line, "text": one.text} for one in content.warnings],
    }
    octets = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    return Parsed(hash=hashlib.sha256(octets).hexdigest(), packed=pack(octets))


async def content_of(tx: Transaction, bundle_hash: BundleHash, parsed: str) -> BundleContent:
    """Return what a bundle holds and defines, as it was parsed when it was pushed.

    Raises NotFound where it is not stored any more, Conflict where it was altered.
    """
    octets = unpack((await fetch_packed(tx, [parsed]))[parsed])
    if hashlib.sha256(octets).hexdigest() != parsed:
        raise Conflict(f"what the bundle {bundle_hash} defines was altered in the metastore: push its folder again")
    document = json.loads(octets)
    return BundleContent(
        bundle=bundle_hash,
        manifest=await fetch_manifest(tx, bundle_hash),
        dags=[dag_from_json(one) for one in document["dags"]],
        errors=document["errors"],
        warnings=[BundleWarning(**one) for one in document["warnings"]],
    )


async def standing(tx: Transaction, name: str, dag_ids: Collection[DagId], *, lock: bool = False) -> Standing:
    """Return what is in service under the name, and which DAGs of any source have one of these ids.

    With `lock` nobody changes any of it before the transaction ends: the bundle is locked first, then the DAGs by id.
    """
    row = await _row(tx, name, lock=lock)
    version, manifest = None, {}
    if row is not None:
        version = int(row["version"])
        held = (await tx.execute(_VERSIONS.where(_is(name, version)))).mappings().one()
        manifest = json.loads(held["manifest"])
    return Standing(
        name=name,
        revision=0 if row is None else int(row["revision"]),
        version=version,
        manifest=manifest,
        dags=await _dags(tx, name, dag_ids, lock=lock),
    )


async def save_plan(tx: Transaction, plan: BundlePlan, parsed: str, now: datetime) -> None:
    """Keep the plan for PLAN_AGE; one that is kept already counts as made now. Those that are older go.

    Raises Conflict where somebody else keeps the same at this moment.
    """
    await tx.execute("DELETE FROM bundle_plan WHERE made_at < :before", {"before": to_db(now - PLAN_AGE)})
    touched = await tx.execute(
        "UPDATE bundle_plan SET made_at = :now WHERE hash = :hash", {"hash": plan.hash, "now": to_db(now)}
    )
    if touched.rowcount:
        return
    row = {
        "hash": plan.hash,
        "name": plan.name,
        "bundle": plan.bundle,
        "parsed": parsed,
        "to_version": plan.to_version,
        "plan": json.dumps(plan_to_json(plan)),
        "made_at": to_db(now),
    }
    try:
        await tx.execute(insert(bundle_plan).values(row))
    except IntegrityError as error:
        raise Conflict("somebody else pushes the same at this moment") from error


async def get_plan(tx: Transaction, hash_: str) -> StoredPlan:
    """Return a plan by its hash, or by the beginning of it; raise NotFound, or InvalidInput for too short a one."""
    if len(hash_) < SHORTEST_HASH:
        raise InvalidInput(f"{hash_!r} is too short for the hash of a plan; give {SHORTEST_HASH} characters or more")
    found = select(bundle_plan).where(bundle_plan.c.hash.startswith(hash_, autoescape=True)).limit(2)
    rows = (await tx.execute(found)).mappings().all()
    if len(rows) != 1:
        raise NotFound(f"there is no plan {hash_}: push the folder again, and apply the plan that it answers")
    row = rows[0]
    return StoredPlan(
        hash=row["hash"],
        name=row["name"],
        bundle=BundleHash(row["bundle"]),
        parsed=row["parsed"],
        to_version=row["to_version"],
        plan=json.loads(row["plan"]),
        made_at=from_db(row["made_at"]),
        applied_version=row["applied_version"],
    )


async def put_in_service(tx: Transaction, held: Standing, kept: StoredPlan, *, by: str | None, now: datetime) -> int:
    """Make what the plan goes to the version in service, a new one for a push; return its number.

    Raises Conflict where the name was new to the plan and somebody else has taken it meanwhile.
    """
    number = kept.to_version
    if number is None:
        latest = await tx.execute("SELECT MAX(number) FROM pushed_version WHERE name = :name", {"name": held.name})
        number = (latest.scalar_one() or 0) + 1
        row = {
            "name": held.name,
            "number": number,
            "bundle": kept.bundle,
            "parsed": kept.parsed,
            "plan": json.dumps(kept.plan),
            "pushed_at": to_db(now),
            "pushed_by": by,
        }
        await _insert(tx, pushed_version, row)
    if held.version is None:
        await _insert(tx, pushed_bundle, {"name": held.name, "version": number, "revision": 1})
    else:
        values = {"version": number, "revision": held.revision + 1}
        await tx.execute(update(pushed_bundle).where(pushed_bundle.c.name == held.name).values(values))
    await tx.execute(update(bundle_plan).where(bundle_plan.c.hash == kept.hash).values(applied_version=number))
    return number


async def list_current(tx: Transaction) -> list[PushedVersion]:
    """Return the version in service of every pushed bundle, by name."""
    wanted = _VERSIONS.where(pushed_version.c.number == pushed_bundle.c.version).order_by(pushed_version.c.name)
    return [_version(row) for row in (await tx.execute(wanted)).mappings()]


async def list_versions(tx: Transaction, name: str) -> list[PushedVersion]:
    """Return the versions of a bundle that are kept, the newest first; raise NotFound where there is none."""
    wanted = _VERSIONS.where(pushed_version.c.name == name).order_by(pushed_version.c.number.desc())
    found = [_version(row) for row in (await tx.execute(wanted)).mappings()]
    if not found:
        raise _unknown(name)
    return found


async def get_version(tx: Transaction, name: str, number: int | None = None) -> PushedVersion:
    """Return a version of a bundle, the one in service by default; raise NotFound."""
    wanted: Any = pushed_bundle.c.version if number is None else number
    found = _VERSIONS.where(pushed_version.c.name == name, pushed_version.c.number == wanted)
    row = (await tx.execute(found)).mappings().one_or_none()
    if row is None:
        raise _unknown(name, number)
    return _version(row)


async def parsed_hash(tx: Transaction, name: str, number: int) -> str:
    """Return which content tells what a version defined when it was pushed; raise NotFound."""
    found = (await tx.execute(select(pushed_version.c.parsed).where(_is(name, number)))).scalar_one_or_none()
    if found is None:
        raise _unknown(name, number)
    return str(found)


def _unknown(name: str, number: int | None = None) -> NotFound:
    which = "" if number is None else f" of version {number}"
    return NotFound(f"The Bundle with name: `{name}`{which} was not found")


def _is(name: str, number: int) -> Any:
    return (pushed_version.c.name == name) & (pushed_version.c.number == number)


async def _row(tx: Transaction, name: str, *, lock: bool) -> Any:
    suffix = tx.dialect.for_update if lock else ""
    rows = await tx.execute(f"SELECT version, revision FROM pushed_bundle WHERE name = :name{suffix}", {"name": name})
    return rows.mappings().first()


async def _insert(tx: Transaction, table: Any, row: Mapping[str, Any]) -> None:
    try:
        await tx.execute(insert(table).values(row))
    except IntegrityError as error:
        raise Conflict(f"somebody else has pushed the bundle {row['name']!r} at this moment: push again") from error


async def _dags(tx: Transaction, name: str, dag_ids: Collection[DagId], *, lock: bool) -> Mapping[DagId, StandingDag]:
    # Whoever makes a DAG one of this bundle holds the bundle: so these stay all of it.
    theirs = await tx.execute("SELECT dag_id FROM dag WHERE bundle_name = :name", {"name": name})
    wanted = {*dag_ids, *(DagId(dag_id) for (dag_id,) in theirs)}
    if lock:
        await dags.lock(tx, wanted)
    rows = await tx.execute(
        "SELECT d.dag_id, d.bundle_name, d.is_active, d.first_seen_at, d.last_interval_start, d.last_interval_end,"
        " v.number, v.spec FROM dag d JOIN dag_version v ON v.id = d.version"
        f" WHERE d.dag_id IN {tx.dialect.keys(type_='text')}",
        {"keys": json.dumps(sorted(wanted))},
    )
    found = {DagId(row["dag_id"]): row for row in rows.mappings()}
    unfinished = await _unfinished(tx, found)
    return {
        dag_id: StandingDag(
            spec=dag_from_json(json.loads(row["spec"])),
            number=row["number"],
            bundle_name=row["bundle_name"],
            is_active=bool(row["is_active"]),
            first_seen_at=from_db(row["first_seen_at"]),
            last_interval=_interval(row["last_interval_start"], row["last_interval_end"]),
            unfinished=tuple(unfinished.get(dag_id, ())),
        )
        for dag_id, row in found.items()
    }


async def _unfinished(tx: Transaction, dag_ids: Collection[DagId]) -> dict[DagId, list[UnfinishedRuns]]:
    rows = await tx.execute(
        "SELECT r.dag_id, r.state, v.number, COUNT(*) AS many FROM dag_run r"
        " JOIN dag_version v ON v.id = r.dag_version"
        f" WHERE r.state IN ('queued', 'running') AND r.dag_id IN {tx.dialect.keys(type_='text')}"
        " GROUP BY r.dag_id, r.state, v.number ORDER BY r.dag_id, v.number, r.state",
        {"keys": json.dumps(sorted(dag_ids))},
    )
    found: dict[DagId, list[UnfinishedRuns]] = {}
    for row in rows.mappings():
        one = UnfinishedRuns(version=row["number"], state=row["state"], count=row["many"])
        found.setdefault(DagId(row["dag_id"]), []).append(one)
    return found


def _interval(start: int | None, end: int | None) -> DataInterval | None:
    return None if start is None or end is None else DataInterval(from_db(start), from_db(end))


def _version(row: Any) -> PushedVersion:
    return PushedVersion(
        name=row["name"],
        number=row["number"],
        bundle=BundleHash(row["bundle"]),
        size_bytes=row["size_bytes"],
        files=len(json.loads(row["manifest"])),
        is_current=row["number"] == row["current"],
        pushed_at=from_db(row["pushed_at"]),
        pushed_by=row["pushed_by"],
        plan=json.loads(row["plan"]),
    )
