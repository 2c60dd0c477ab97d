"""DagAccess: whom a DAG's `access_control` lets see and change it.

A DAG without `access_control` follows the roles of the accounts alone. One with it is narrowed to whom it names, by
role, group or user name. It never widens what a role may do: a DAG file cannot make an Admin of anybody.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from flowd.domain.errors import InvalidDag

LONGEST_NAME = 250
"""As long as the names of accounts."""


class DagPermission(StrEnum):
    """What may be done with a DAG; whoever has one of them may see it."""

    READ = "read"
    TRIGGER = "trigger"
    EDIT_RUNS = "edit runs of"
    EDIT = "edit"
    DELETE = "delete runs of"


READ, TRIGGER, EDIT_RUNS = DagPermission.READ, DagPermission.TRIGGER, DagPermission.EDIT_RUNS
EDIT, DELETE = DagPermission.EDIT, DagPermission.DELETE

_OF_DAGS: Mapping[str, Collection[DagPermission]] = {
    "can_read": (READ,),
    "can_dag_read": (READ,),
    "can_edit": (READ, TRIGGER, EDIT_RUNS, EDIT),
    "can_dag_edit": (READ, TRIGGER, EDIT_RUNS, EDIT),
    "can_delete": (READ, DELETE),
}
_OF_RUNS: Mapping[str, Collection[DagPermission]] = {
    "can_read": (READ,),
    "can_create": (READ, TRIGGER),
    "can_edit": (READ, EDIT_RUNS),
    "can_delete": (READ, DELETE),
    "menu_access": (READ,),
}
_RESOURCES = {"DAGs": _OF_DAGS, "DAG Runs": _OF_RUNS}
"""Airflow's names of what is permitted, and what each means here."""


@dataclass(frozen=True, slots=True)
class DagAccess:
    """Who may do what with a restricted DAG: the permissions of each name."""

    grants: Mapping[str, frozenset[DagPermission]]

    @property
    def readers(self) -> list[str]:
        """Every name that may see the DAG, in order."""
        return sorted(name for name, permissions in self.grants.items() if permissions)

    def permits(self, names: Iterable[str], permission: DagPermission) -> bool:
        """True where one of these names has the permission."""
        return any(permission in self.grants.get(name, ()) for name in names)


def dag_access_of(access_control: Any, where: str) -> DagAccess | None:
    """Return what an `access_control` means, None for None; raise InvalidDag for a word that Airflow has not."""
    if access_control is None:
        return None
    if not isinstance(access_control, Mapping):
        raise InvalidDag(f"{where}: access_control is a {type(access_control).__name__}; wanted {{name: permissions}}")
    grants = {
        _name(name, where): _granted(said, f"{where}: access_control of {name!r}")
        for name, said in access_control.items()
    }
    return DagAccess(grants)


def _name(name: Any, where: str) -> str:
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidDag(
            f"{where}: access_control names {name!r}; wanted a role, group or user of 1 to {LONGEST_NAME} characters"
        )
    return str.__str__(name)


def _granted(said: Any, where: str) -> frozenset[DagPermission]:
    if not isinstance(said, Mapping):
        said = {"DAGs": said}
    granted: set[DagPermission] = set()
    for resource, words in said.items():
        known = _RESOURCES.get(resource)
        if known is None:
            raise InvalidDag(f"{where}: {resource!r} is nothing to permit; wanted one of {', '.join(_RESOURCES)}")
        for word in {words} if isinstance(words, str) else _words(words, where):
            if word not in known:
                raise InvalidDag(
                    f"{where}: {word!r} is no permission for {resource}; wanted some of {', '.join(known)}"
                )
            granted.update(known[word])
    return frozenset(granted)


def _words(words: Any, where: str) -> Iterable[Any]:
    if not isinstance(words, Collection):
        raise InvalidDag(f"{where}: {words!r} are no permissions; wanted a set of words such as {{'can_read'}}")
    return words
