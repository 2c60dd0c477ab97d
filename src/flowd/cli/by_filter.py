"""`flowd bulk`: clear, mark or delete all that a filter finds, once somebody has looked at it."""

from typing import Annotated, Any

import typer

from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import YesOption, confirm
from flowd.cli.output import note
from flowd.domain.errors import FlowdError, InvalidInput

app = new_app("Clear, mark or delete all that a filter finds.")

WhereOption = Annotated[
    list[str],
    typer.Option("--where", "-w", metavar="NAME=VALUE", help="A filter of the API's list; may be repeated."),
]
DagOption = Annotated[str, typer.Option("--dag", help="Only of this DAG.")]
StateOption = Annotated[str | None, typer.Option("--state", help="With mark: as what.")]

_SHOWN = 20


@app.command()
def runs(
    action: Annotated[str, typer.Argument(help="clear, mark or delete.")],
    where: WhereOption,
    dag_id: DagOption = "~",
    state: StateOption = None,
    only_failed: Annotated[bool, typer.Option("--only-failed", help="With clear: only what failed.")] = False,
    yes: YesOption = False,
) -> None:
    """Show the runs that the filters find, and change them: `-w state=failed -w run_after_gte=2026-01-01`."""
    body = {"action": action, "state": state, "only_failed": only_failed}
    operation = "POST /api/v2/dags/{dag_id}/dagRuns/byFilter"
    _change(operation, body, where, yes, dag_id=dag_id)


@app.command()
def tasks(
    action: Annotated[str, typer.Argument(help="clear or mark.")],
    where: WhereOption,
    dag_id: DagOption = "~",
    run_id: Annotated[str, typer.Option("--run", help="Only of this run.")] = "~",
    state: StateOption = None,
    yes: YesOption = False,
) -> None:
    """Show the task instances that the filters find, and change them: `-w state=failed -w task_id=load`."""
    body = {"action": action, "new_state": state}
    operation = "POST /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/byFilter"
    _change(operation, body, where, yes, dag_id=dag_id, dag_run_id=run_id)


def _change(operation: str, body: dict[str, Any], where: list[str], yes: bool, **path: Any) -> None:
    query = _filters(where)
    preview = api().call(operation, body=body, query=query, **path)
    total = preview["total_entries"]
    if not total:
        note("The filter finds nothing.")
        return
    for name in preview["names"][:_SHOWN]:
        note(f"  {name}")
    if total > _SHOWN:
        note(f"  and {total - _SHOWN} more")
    confirm(f"{body['action'].capitalize()} these {total}?", yes)
    errors = api().call(operation, body={**body, "hash": preview["hash"]}, query=query, **path)["errors"]
    note(f"{total - len(errors)} done.")
    if errors:
        raise FlowdError("\n  - ".join(["this was refused:", *(f"{one['name']}: {one['error']}" for one in errors)]))


def _filters(given: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise InvalidInput(f"{one!r} is no filter; wanted NAME=VALUE, as state=failed or run_after_lt=2026-01-01")
        found.setdefault(name, []).append(value)
    return found
