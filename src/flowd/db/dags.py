"""DAGs and their versions, as the sync of DAG files writes them."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, update
from sqlalchemy.exc import IntegrityError

from flowd.db import assets
from flowd.db.moments import from_db, to_db
from flowd.db.rows import Row
from flowd.db.tables import dag, dag_reader, dag_version
from flowd.db.transaction import Transaction
from flowd.domain.dag_access import dag_access_of
from flowd.domain.dag_spec import DagSpec, dag_to_json, structural_hash
from flowd.domain.data_interval import DataInterval
from flowd.domain.errors import Conflict
from flowd.domain.ids import BundleHash, DagId
from flowd.domain.timetable import next_run, runs_from


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDag:
    """A DAG of the metastore, and the file it is from: of the pushed bundle of that name, or of the DAG folder."""

    dag_id: DagId
    file: str
    is_active: bool
    bundle_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshDag:
    """A DAG as its file was parsed just now, in `parse_seconds`."""

    spec: DagSpec
    warnings: tuple[str, ...] = ()
    parse_seconds: float = 0.0


async def known(tx: Transaction) -> list[KnownDag]:
    """Return every DAG, active or not."""
    rows = await tx.execute("SELECT dag_id, file, is_active, bundle_name FROM dag ORDER BY dag_id")
    return [
        KnownDag(dag_id=DagId(id_), file=file, is_active=bool(is_active), bundle_name=bundle_name)
        for id_, file, is_active, bundle_name in rows
    ]


async def of_file(tx: Transaction, file: str) -> list[DagId]:
    """Return the DAGs, active or not, that are from this file of the DAG folder."""
    found = await tx.execute("SELECT dag_id FROM dag WHERE file = :file AND bundle_name IS NULL", {"file": file})
    return [DagId(dag_id) for (dag_id,) in found]


async def lock(tx: Transaction, dag_ids: Collection[DagId]) -> None:
    """Lock the rows of these DAGs, in the order of their ids, which every writer of several DAGs keeps to."""
    await tx.execute(
        f"SELECT dag_id FROM dag WHERE dag_id IN {tx.dialect.keys(type_='text')}"
        f" ORDER BY dag_id{tx.dialect.for_update}",
        {"keys": json.dumps(sorted(dag_ids))},
    )


async def save(
    tx: Transaction,
    fresh: Sequence[FreshDag],
    *,
    bundle: BundleHash,
    bundle_name: str | None = None,
    paused_at_creation: bool,
    now: datetime,
) -> None:
    """Write each DAG as active, in its current version and this bundle, and plan its next run.

    `bundle_name` is the name that the bundle was pushed under, None for that of the DAG folder.

    A structure that the DAG never had gets the next version number; one that it had gets its old version back. A new
    DAG is paused as it says itself, else as `paused_at_creation` says; later only people decide that. Raises Conflict
    where another node writes the same new DAGs or versions at this moment: the transaction is lost, try it again.
    """
    if not fresh:
        return
    dag_ids = [one.spec.dag_id for one in fresh]
    try:
        versions = await _save_versions(tx, [one.spec for one in fresh], bundle, bundle_name, now)
        rows = await tx.execute(
            "SELECT dag_id, first_seen_at, last_interval_start, last_interval_end FROM dag"
            f" WHERE dag_id IN {tx.dialect.keys(type_='text')} ORDER BY dag_id{tx.dialect.for_update}",
            {"keys": json.dumps(dag_ids)},
        )
        before = {row["dag_id"]: row for row in rows.mappings()}
        new: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        for one in fresh:
            spec = one.spec
            row = before.get(spec.dag_id)
            values = _values(one, versions[spec.dag_id], bundle, now) | _plan(spec, row, now)
            values["bundle_name"] = bundle_name
            if row is None:
                pause = spec.is_paused_upon_creation
                values |= {"is_paused": paused_at_creation if pause is None else pause, "first_seen_at": to_db(now)}
                new.append({"dag_id": spec.dag_id, **values})
            else:
                changed.append({"b_dag_id": spec.dag_id, **values})
        if new:
            await tx.execute(insert(dag), new)
        if changed:
            await tx.execute(update(dag).where(dag.c.dag_id == bindparam("b_dag_id")), changed)
        await _save_readers(tx, [one.spec for one in fresh])
        await assets.declare(tx, [one.spec for one in fresh], now)
    except IntegrityError as error:
        raise Conflict("another scheduler writes the same DAGs at this moment") from error


async def move(tx: Transaction, dag_ids: Collection[DagId], bundle: BundleHash) -> None:
    """Let new runs of these DAGs, which are as before, begin with this bundle."""
    await tx.execute(
        f"UPDATE dag SET bundle = :bundle WHERE dag_id IN {tx.dialect.keys(type_='text')} AND bundle <> :bundle",
        {"bundle": bundle, "keys": json.dumps(sorted(dag_ids))},
    )


async def deactivate(tx: Transaction, dag_ids: Collection[DagId]) -> None:
    """Take these DAGs out of sight and of scheduling; their runs and versions stay."""
    await tx.execute(
        f"UPDATE dag SET is_active = :inactive WHERE dag_id IN {tx.dialect.keys(type_='text')}",
        {"inactive": False, "keys": json.dumps(sorted(dag_ids))},
    )


async def _save_readers(tx: Transaction, specs: Sequence[DagSpec]) -> None:
    await tx.execute(delete(dag_reader).where(dag_reader.c.dag_id.in_([spec.dag_id for spec in specs])))
    rows = [
        {"dag_id": spec.dag_id, "name": name}
        for spec in specs
        if (access := dag_access_of(spec.access_control, f"DAG {spec.dag_id!r}"))
        for name in access.readers
    ]
    if rows:
        await tx.execute(insert(dag_reader), rows)


async def _save_versions(
    tx: Transaction, specs: Sequence[DagSpec], bundle: BundleHash, bundle_name: str | None, now: datetime
) -> dict[DagId, int]:
    """Return the key of each spec's version, made where there is none."""
    hashes = {spec.dag_id: structural_hash(spec) for spec in specs}
    found = await _version_keys(tx, hashes)
    new = [spec for spec in specs if spec.dag_id not in found]
    if not new:
        return found
    numbers = await tx.execute(
        f"SELECT dag_id, MAX(number) FROM dag_version WHERE dag_id IN {tx.dialect.keys(type_='text')} GROUP BY dag_id",
        {"keys": json.dumps([spec.dag_id for spec in new])},
    )
    latest: dict[str, int] = {dag_id: number for dag_id, number in numbers}
    rows = [
        {
            "dag_id": spec.dag_id,
            "number": latest.get(spec.dag_id, 0) + 1,
            "hash": hashes[spec.dag_id],
            "spec": json.dumps(dag_to_json(spec)),
            "bundle": bundle,
            "bundle_name": bundle_name,
            "created_at": to_db(now),
        }
        for spec in new
    ]
    await tx.execute(insert(dag_version), rows)
    return await _version_keys(tx, hashes)


async def _version_keys(tx: Transaction, hashes: Mapping[DagId, str]) -> dict[DagId, int]:
    rows = await tx.execute(
        "SELECT id, dag_id, hash FROM dag_version"
        f" WHERE dag_id IN {tx.dialect.keys('dags', 'text')} AND hash IN {tx.dialect.keys('hashes', 'text')}",
        {"dags": json.dumps(list(hashes)), "hashes": json.dumps(list(hashes.values()))},
    )
    return {DagId(dag_id): key for key, dag_id, hash_ in rows if hashes[DagId(dag_id)] == hash_}


def _values(one: FreshDag, version: int, bundle: BundleHash, now: datetime) -> dict[str, Any]:
    return {
        "file": one.spec.file,
        "version": version,
        "bundle": bundle,
        "is_active": True,
        "is_restricted": one.spec.access_control is not None,
        "warnings": json.dumps(list(one.warnings)),
        "parsed_at": to_db(now),
        "parse_seconds": one.parse_seconds,
    }


def _plan(spec: DagSpec, row: Row | None, now: datetime) -> dict[str, int | None]:
    """Return the columns of the next run, as the timetable wants it now, behind the last that was made."""
    start, end = (None, None) if row is None else (row["last_interval_start"], row["last_interval_end"])
    planned = next_run(
        spec.timetable,
        None if start is None or end is None else DataInterval(from_db(start), from_db(end)),
        start_date=runs_from(spec.timetable, spec.start_date, now if row is None else from_db(row["first_seen_at"])),
        end_date=spec.end_date,
        catchup=spec.catchup,
        now=now,
    )
    return {
        "next_run_after": to_db(planned.run_after) if planned else None,
        "next_logical_date": to_db(planned.logical_date) if planned else None,
        "next_interval_start": to_db(planned.data_interval.start) if planned else None,
        "next_interval_end": to_db(planned.data_interval.end) if planned else None,
    }
