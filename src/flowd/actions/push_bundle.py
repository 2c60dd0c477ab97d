"""plan_push, plan_rollback and apply_plan: how the DAGs of a bundle get into service, and back.

A plan is made first and kept; what is applied is a plan by its hash, and only while it would still do the same.
"""

from collections.abc import Sequence

from flowd.actions.backends import Backends
from flowd.actions.bundle_reader import BundleReader
from flowd.db import bundles, dags, pushed_bundles
from flowd.db.pushed_bundles import PushedVersion, StoredPlan
from flowd.db.transaction import Transaction
from flowd.db.views.versions import BUNDLE_NAME
from flowd.domain.bundle_plan import BundleContent, BundlePlan, ChangeKind, plan_bundle
from flowd.domain.errors import Conflict, InvalidInput, NotFound
from flowd.domain.ids import DagId


async def plan_push(backends: Backends, reader: BundleReader, name: str, archive: bytes) -> StoredPlan:
    """Store what the archive holds, and return the plan of putting it into service under the name.

    Nothing is in service by it: see `apply_plan`. Raises InvalidInput for an archive or a name that cannot be taken.
    """
    if name == BUNDLE_NAME:
        raise InvalidInput(f"{name!r} is the name of what schedulers read from the DAG folder; choose another")
    read = await reader.read(archive)
    parsed = pushed_bundles.parsed_of(read.content)

    async def attempt() -> StoredPlan:
        async with backends.metastore.transaction() as tx:
            tx.linger()
            now = await tx.now()
            plan = await _plan(tx, name, read.content)
            await bundles.store(tx, read.content.manifest, read.packed, size_bytes=read.size_bytes, now=now)
            await pushed_bundles.save_plan(tx, plan, parsed.hash, now)
            await bundles.store_contents(tx, [parsed.hash], {parsed.hash: parsed.packed})
            return await _kept(tx, plan)

    return await backends.metastore.retrying(attempt)


async def plan_rollback(backends: Backends, name: str, to_version: int | None = None) -> StoredPlan:
    """Return the plan of putting a version into service that was there before: the one below, where none is named.

    Raises NotFound for an unknown bundle or version, Conflict where there is nothing to go back to.
    """

    async def attempt() -> StoredPlan:
        async with backends.metastore.transaction() as tx:
            number = await _below(tx, name) if to_version is None else to_version
            version = await pushed_bundles.get_version(tx, name, number)
            if version.is_current:
                raise Conflict(f"version {number} of the bundle {name!r} is in service already")
            parsed = await pushed_bundles.parsed_hash(tx, name, number)
            content = await pushed_bundles.content_of(tx, version.bundle, parsed)
            plan = await _plan(tx, name, content, to_version=number)
            await pushed_bundles.save_plan(tx, plan, parsed, await tx.now())
            return await _kept(tx, plan)

    return await backends.metastore.retrying(attempt)


async def apply_plan(backends: Backends, hash_: str, *, paused_at_creation: bool) -> PushedVersion:
    """Do what the plan says, all of it in one transaction, and return the version that is in service then.

    Applied again, it changes nothing and returns the same. Raises NotFound for an unknown plan, Conflict where it would
    not do any more what it says, or has errors.
    """

    async def attempt() -> PushedVersion:
        async with backends.metastore.transaction() as tx:
            kept = await pushed_bundles.get_plan(tx, hash_)
            content = await pushed_bundles.content_of(tx, kept.bundle, kept.parsed)
            held = await pushed_bundles.standing(tx, kept.name, _ids(content), lock=True)
            # Again, for whoever held the lock before may have applied this very plan.
            kept = await pushed_bundles.get_plan(tx, kept.hash)
            if kept.applied_version is not None and kept.applied_version == held.version:
                return await pushed_bundles.get_version(tx, kept.name)
            now = await tx.now()
            plan = plan_bundle(held, content, now=now, to_version=kept.to_version)
            _check(plan, kept)
            if plan.is_empty and plan.to_version is None and held.version is not None:
                return await pushed_bundles.get_version(tx, kept.name)
            await _carry_out(tx, plan, content, paused_at_creation=paused_at_creation)
            by = None if tx.actor is None else tx.actor.name
            number = await pushed_bundles.put_in_service(tx, held, kept, by=by, now=now)
            tx.tell(f"bundle {plan.name}", _told(held.version), _told(number))
            return await pushed_bundles.get_version(tx, kept.name)

    return await backends.metastore.retrying(attempt)


async def _plan(tx: Transaction, name: str, content: BundleContent, *, to_version: int | None = None) -> BundlePlan:
    held = await pushed_bundles.standing(tx, name, _ids(content))
    return plan_bundle(held, content, now=await tx.now(), to_version=to_version)


async def _kept(tx: Transaction, plan: BundlePlan) -> StoredPlan:
    tx.tell(f"plan {plan.hash[:12]} of bundle {plan.name}", None, {"bundle": plan.bundle, "dags": len(plan.dags)})
    return await pushed_bundles.get_plan(tx, plan.hash)


async def _below(tx: Transaction, name: str) -> int:
    versions = await pushed_bundles.list_versions(tx, name)
    current = next(one.number for one in versions if one.is_current)
    below = [one.number for one in versions if one.number < current]
    if not below:
        raise Conflict(f"version {current} of the bundle {name!r} is the oldest that is kept: name one to go to")
    return max(below)


def _check(plan: BundlePlan, kept: StoredPlan) -> None:
    if plan.hash != kept.hash:
        raise Conflict(
            f"the plan {kept.hash[:12]} is out of date: the bundle {plan.name!r}, or a DAG that it defines, has changed"
            " since it was made; push again and look at the new plan"
        )
    if plan.errors:
        first = next(iter(plan.errors.values())).splitlines()[0]
        raise Conflict(
            f"the plan {kept.hash[:12]} has errors in {len(plan.errors)} files, and a push brings no broken file into"
            f" service: mend them and push again. The first is: {first}"
        )


async def _carry_out(tx: Transaction, plan: BundlePlan, content: BundleContent, *, paused_at_creation: bool) -> None:
    now = await tx.now()
    if not await bundles.has_bundle(tx, plan.bundle, now):
        raise NotFound(f"the bundle {plan.bundle} is not stored any more: push its folder again")
    warnings: dict[str, list[str]] = {}
    for one in content.warnings:
        warnings.setdefault(one.file, []).append(one.text)
    fresh = [dags.FreshDag(spec=spec, warnings=tuple(warnings.get(spec.file, ()))) for spec in content.dags]
    await dags.save(
        tx, fresh, bundle=plan.bundle, bundle_name=plan.name, paused_at_creation=paused_at_creation, now=now
    )
    await dags.deactivate(tx, [one.dag_id for one in plan.dags if one.kind is ChangeKind.REMOVED])


def _ids(content: BundleContent) -> Sequence[DagId]:
    return [spec.dag_id for spec in content.dags]


def _told(version: int | None) -> dict[str, int] | None:
    return None if version is None else {"version": version}
