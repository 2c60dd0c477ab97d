"""Printing a plan: what a push or a rollback would change, for eyes."""

from collections.abc import Iterator, Sequence
from typing import Any

Plan = dict[str, Any]

_SIGNS = {"added": "+", "changed": "~", "removed": "-"}


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines that tell a plan."""
    before = "nothing" if plan["from_version"] is None else f"version {plan['from_version']}"
    after = "a new version" if plan["to_version"] is None else f"version {plan['to_version']}"
    yield f"Plan {plan['hash'][:12]} of bundle {plan['name']}: {before} -> {after}"
    for one in plan["dags"]:
        yield from _dag_lines(one)
    files = plan["files"]
    yield (
        f"{len(plan['dags'])} DAGs change, {plan['unchanged']} stay as they are;"
        f" files: {files['added']} added, {files['changed']} changed, {files['removed']} removed"
    )
    for warning in plan["warnings"]:
        where = f"{warning['file']}:{warning['line']}" if warning["line"] else warning["file"]
        yield f"warning  {where}: {warning['text']}"
    for file, error in plan["errors"].items():
        yield f"error  {file}: {error.removeprefix(f'{file}: ')}"


def _dag_lines(one: dict[str, Any]) -> Iterator[str]:
    yield f"  {_SIGNS[one['kind']]} {one['kind']}  {one['dag_id']}  ({one['file']})"
    diff = one["diff"]
    told = [
        *(f"+{task}" for task in diff["tasks_added"]),
        *(f"~{task['task_id']} ({', '.join(task['fields'])})" for task in diff["tasks_changed"]),
        *(f"-{task}" for task in diff["tasks_removed"]),
    ]
    if told:
        yield f"      tasks: {' '.join(told)}"
    if diff["fields"]:
        yield f"      fields: {', '.join(diff['fields'])}"
    if one["kind"] == "changed" and one["is_source_changed"]:
        yield "      source: changed"
    if one["fire_times_before"] != one["fire_times_after"]:
        if one["kind"] != "added":
            yield f"      next runs before: {_moments(one['fire_times_before'])}"
        if one["kind"] != "removed":
            yield f"      next runs after:  {_moments(one['fire_times_after'])}"
    for runs in one["unfinished"]:
        yield f"      {runs['count']} {runs['state']} runs go on with version {runs['version']}"


def _moments(moments: Sequence[str]) -> str:
    return ", ".join(moment[:19].replace("T", " ") + " UTC" for moment in moments) or "none by a schedule"
