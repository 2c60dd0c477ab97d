"""BundlePlan: what a push or a rollback of a bundle would change, decided before anything is.

A DAG belongs to one source: the DAG folder, or one pushed bundle. A bundle takes over no DAG that another source has in
service; it may bring back one that is in none. Runs that have begun go on with their version whatever the plan says.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from flowd.domain.dag_diff import DagDiff, diff_dags
from flowd.domain.dag_spec import DagSpec, structural_hash
from flowd.domain.data_interval import DataInterval
from flowd.domain.ids import BundleHash, DagId
from flowd.domain.timetable import runs_from, upcoming

FIRE_TIMES = 3
"""How many of the next runs are told, before and after."""

MOST_NAMED = 100
"""How many files of a kind are named; of more only the number is told."""


class ChangeKind(StrEnum):
    """What becomes of a DAG."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedRuns:
    """How many runs of a DAG have not ended, and the version of the DAG that they go on with."""

    version: int
    state: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingDag:
    """A DAG of the metastore; `bundle_name` is None for one of the DAG folder, `number` counts its versions."""

    spec: DagSpec
    number: int
    bundle_name: str | None
    is_active: bool
    first_seen_at: datetime
    last_interval: DataInterval | None
    unfinished: tuple[UnfinishedRuns, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleWarning:
    """Something about a file that a person should know; `line` is 0 where it is about no line."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleContent:
    """What a folder holds: its bundle with the hash of each file, and what its files define, or why they do not."""

    bundle: BundleHash
    manifest: Mapping[str, str]
    dags: Sequence[DagSpec] = ()
    errors: Mapping[str, str]
    warnings: Sequence[BundleWarning] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is in service under a name. `version` and `manifest` are None and empty where nothing is; see `plan_bundle`.

    `dags` are those of the bundle, and those of other sources that have an id which the new content defines.
    """

    name: str
    revision: int
    version: int | None
    manifest: Mapping[str, str]
    dags: Mapping[DagId, StandingDag]


@dataclass(frozen=True, slots=True, kw_only=True)
class DagChange:
    """What becomes of one DAG. `is_source_changed` where its own file has another text, whatever its structure is.

    The fire times are those of its schedule, whether it is paused or not. `unfinished` runs keep the version they have.
    """

    dag_id: DagId
    kind: ChangeKind
    file: str
    diff: DagDiff
    is_source_changed: bool
    fire_times_before: tuple[datetime, ...] = ()
    fire_times_after: tuple[datetime, ...] = ()
    unfinished: tuple[UnfinishedRuns, ...] = ()
    hash_before: str | None = None
    hash_after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChanges:
    """How the files differ: how many of each kind, and the first of them by name."""

    added: int
    changed: int
    removed: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BundlePlan:
    """What applying would do. `to_version` is where a rollback goes, None for a push, which makes a new version."""

    name: str
    revision: int
    from_version: int | None
    to_version: int | None
    bundle: BundleHash
    dags: tuple[DagChange, ...]
    unchanged: int
    files: FileChanges
    errors: Mapping[str, str]
    warnings: tuple[BundleWarning, ...]

    @property
    def is_empty(self) -> bool:
        """True where there is nothing to change: the same files, which define the same."""
        return not self.dags and not (self.files.added or self.files.changed or self.files.removed)

    @property
    def hash(self) -> str:
        """What the plan is named by: the same exactly while applying it would do the same.

        What only tells of the moment is left out: fire times move with the clock, and runs come and end.
        """
        decided = {
            "name": self.name,
            "revision": self.revision,
            "to_version": self.to_version,
            "bundle": self.bundle,
            "dags": [(one.dag_id, one.kind.value, one.hash_before, one.hash_after) for one in self.dags],
            "errors": dict(self.errors),
        }
        return hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()


def plan_bundle(
    standing: Standing, content: BundleContent, *, now: datetime, to_version: int | None = None
) -> BundlePlan:
    """Return what it would mean that `content` takes the place of what stands.

    A DAG id that two files define, or that another source has in service, is an error of the file that comes later.
    """
    errors = defaultdict(list, {file: [text] for file, text in content.errors.items()})
    new: dict[DagId, DagSpec] = {}
    for spec in sorted(content.dags, key=lambda spec: (spec.file, spec.dag_id)):
        if spec.dag_id in new:
            errors[spec.file].append(_taken(spec, f"{new[spec.dag_id].file} of the same bundle"))
        elif owner := _other_owner(standing, spec.dag_id):
            errors[spec.file].append(_taken(spec, owner))
        else:
            new[spec.dag_id] = spec
    old = {dag_id: dag for dag_id, dag in standing.dags.items() if dag.is_active and dag.bundle_name == standing.name}
    changes = [
        change
        for dag_id in sorted(old.keys() | new.keys())
        if (change := _change(standing, content, old.get(dag_id), new.get(dag_id), now))
    ]
    return BundlePlan(
        name=standing.name,
        revision=standing.revision,
        from_version=standing.version,
        to_version=to_version,
        bundle=content.bundle,
        dags=tuple(changes),
        unchanged=len(old.keys() & new.keys()) - sum(one.kind is ChangeKind.CHANGED for one in changes),
        files=_file_changes(standing.manifest, content.manifest),
        errors={file: "\n\n".join(texts) for file, texts in sorted(errors.items())},
        warnings=tuple(sorted(content.warnings, key=lambda one: (one.file, one.line, one.text))),
    )


def plan_to_json(plan: BundlePlan) -> dict[str, Any]:
    """Return the plan as JSON values, with its hash."""

    def plain(value: Any) -> Any:
        match value:
            case datetime():
                return value.isoformat()
            case Mapping():
                return {name: plain(one) for name, one in value.items()}
            case tuple() | list():
                return [plain(one) for one in value]
            case _:
                return value

    document: dict[str, Any] = plain(asdict(plan))
    return {**document, "hash": plan.hash, "is_empty": plan.is_empty}


def _other_owner(standing: Standing, dag_id: DagId) -> str | None:
    """Return who else has a DAG of this id in service."""
    dag = standing.dags.get(dag_id)
    if dag is None or not dag.is_active or dag.bundle_name == standing.name:
        return None
    return f"{dag.spec.file} of {f'the bundle {dag.bundle_name}' if dag.bundle_name else 'the DAG folder'}"


def _taken(spec: DagSpec, owner: str) -> str:
    return (
        f"{spec.file}: DAG {spec.dag_id!r} is defined in {owner} already: remove it there, or give one of the two"
        " another dag_id"
    )


def _change(
    standing: Standing, content: BundleContent, old: StandingDag | None, new: DagSpec | None, now: datetime
) -> DagChange | None:
    """Return what becomes of the DAG, None where it stays as it is."""
    before = None if old is None else old.spec
    spec = new or before
    assert spec is not None
    source = (
        None if before is None else standing.manifest.get(before.file),
        None if new is None else content.manifest.get(new.file),
    )
    hashes = (None if before is None else structural_hash(before), None if new is None else structural_hash(new))
    if hashes[0] == hashes[1] and source[0] == source[1]:
        return None
    kind = ChangeKind.ADDED if before is None else ChangeKind.REMOVED if new is None else ChangeKind.CHANGED
    # One that was in service before, and is back, goes on from its last run.
    last = old or standing.dags.get(spec.dag_id)
    return DagChange(
        dag_id=spec.dag_id,
        kind=kind,
        file=spec.file,
        diff=diff_dags(before, new),
        is_source_changed=source[0] != source[1],
        fire_times_before=_fire_times(before, last, now),
        fire_times_after=_fire_times(new, last, now),
        unfinished=last.unfinished if last else (),
        hash_before=hashes[0],
        hash_after=hashes[1],
    )


def _fire_times(spec: DagSpec | None, last: StandingDag | None, now: datetime) -> tuple[datetime, ...]:
    if spec is None:
        return ()
    runs = upcoming(
        spec.timetable,
        last.last_interval if last else None,
        start_date=runs_from(spec.timetable, spec.start_date, last.first_seen_at if last else now),
        end_date=spec.end_date,
        catchup=spec.catchup,
        now=now,
        limit=FIRE_TIMES,
    )
    return tuple(run.run_after for run in runs)


def _file_changes(before: Mapping[str, str], after: Mapping[str, str]) -> FileChanges:
    added, removed = after.keys() - before.keys(), before.keys() - after.keys()
    changed = {path for path in before.keys() & after.keys() if before[path] != after[path]}
    return FileChanges(
        added=len(added),
        changed=len(changed),
        removed=len(removed),
        names=(*_named("+", added), *_named("~", changed), *_named("-", removed)),
    )


def _named(sign: str, paths: Iterable[str]) -> list[str]:
    return [f"{sign} {path}" for path in sorted(paths)[:MOST_NAMED]]
