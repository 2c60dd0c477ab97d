"""Which file may write which DAG: a pure decision over what the files define and what the metastore knows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from flowd.db.dags import KnownDag
from flowd.domain.ids import DagId
from flowd.roles.scheduler.dag_parse_result import ParsedFile


@dataclass(frozen=True, slots=True)
class FilePlan:
    """What one file comes to: the DAGs it owns, and its import error."""

    owned: tuple[DagId, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What all files come to, by path, and the DAGs that no file defines any more."""

    files: Mapping[str, FilePlan] = field(default_factory=dict)
    inactive: tuple[DagId, ...] = ()


def plan(files: Mapping[str, ParsedFile | None], known: Sequence[KnownDag], gone: Set[str]) -> Plan:
    """Decide over `files`, each as it was parsed last (None where it was not yet).

    A DAG id in two files stays with the file that has it in the metastore, else it goes to the first by name; the
    others get an import error. A file that is broken, or not parsed yet, keeps what it has. DAGs of files that are
    `gone`, and DAGs that their file was parsed without, become inactive. A DAG that a pushed bundle has in service is
    that bundle's: no file takes it over or ends it.
    """
    pushed = {dag.dag_id: dag.bundle_name for dag in known if dag.is_active and dag.bundle_name is not None}
    known = [dag for dag in known if dag.bundle_name is None]
    homes = {dag.dag_id: dag.file for dag in known if dag.is_active and dag.file not in gone}
    definers: dict[DagId, list[str]] = defaultdict(list)
    for path in sorted(files):
        parsed = files[path]
        for dag in parsed.dags if parsed else ():
            definers[dag.dag_id].append(path)
    owners = {
        dag_id: homes[dag_id] if _keeps(files, homes.get(dag_id), dag_id) else paths[0]
        for dag_id, paths in definers.items()
    } | {dag_id: f"the bundle {name}" for dag_id, name in pushed.items()}
    plans = {path: _file_plan(path, parsed, owners) for path, parsed in files.items() if parsed}
    inactive = [
        dag.dag_id
        for dag in known
        if dag.is_active
        and dag.dag_id not in owners
        and (dag.file in gone or (dag.file in files and not _keeps(files, dag.file, dag.dag_id)))
    ]
    return Plan(plans, tuple(inactive))


def _keeps(files: Mapping[str, ParsedFile | None], home: str | None, dag_id: DagId) -> bool:
    """Say whether the file that has the DAG in the metastore still lays claim to it."""
    if home is None or home not in files:
        return False
    parsed = files[home]
    return parsed is None or parsed.is_broken or dag_id in parsed.claimed


def _file_plan(path: str, parsed: ParsedFile, owners: Mapping[DagId, str]) -> FilePlan:
    errors = [parsed.error] if parsed.error else []
    for dag in parsed.dags:
        if owners[dag.dag_id] != path:
            errors.append(
                f"{path}: DAG {dag.dag_id!r} is defined in {owners[dag.dag_id]} already, which keeps it:"
                " give one of the two another dag_id"
            )
    owned = tuple(dag.dag_id for dag in parsed.dags if owners[dag.dag_id] == path)
    return FilePlan(owned, "\n\n".join(errors) or None)
