"""`flowd bundles`: DAGs of nodes that share no folder: pushed with a plan, and rolled back in one step."""

import os
from typing import Annotated, Any

import typer

from flowd.cli.bundle_plan import plan_lines
from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import LimitOption, OrderOption, OutputOption, YesOption, confirm
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.domain.errors import Conflict, FlowdError

app = new_app("DAGs of nodes that share no folder: pushed with a plan, and rolled back in one step.")

COLUMNS = ("name", "version:version_number", "is_current", "files", "size_bytes", "pushed_at", "pushed_by")
OCTETS = {"Content-Type": "application/octet-stream"}

NameArgument = Annotated[str, typer.Argument(help="The bundle.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show the plan, and apply nothing.")]


@app.command()
def push(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The folder of DAG files.")],
    name: Annotated[str | None, typer.Option("--name", help="The bundle; the folder's own name by default.")] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Send a folder, show the plan of putting it into service, and apply it once somebody has said yes."""
    from flowd.cli.pack_folder import pack_folder

    packed = pack_folder(folder)
    named = name or os.path.basename(os.path.abspath(folder))
    operation = "POST /api/v2/bundles/{bundle_name}/plans"
    plan = api().call(operation, body=packed.archive, headers=OCTETS, bundle_name=named)
    if plan["bundle"] != packed.bundle:
        raise FlowdError(
            f"the server has got the bundle {plan['bundle'][:12]}, and {packed.bundle[:12]} was sent: it was altered on"
            " its way, or the server is of another version; nothing is applied"
        )
    _offer(plan, dry_run, yes, output)


@app.command("plan")
def show_plan(
    plan: Annotated[str, typer.Argument(help="The hash of a plan, or its beginning.")],
    output: OutputOption = Format.TABLE,
) -> None:
    """Show a plan again."""
    _show(api().call("GET /api/v2/bundlePlans/{plan_hash}", plan_hash=plan), None, output)


@app.command()
def apply(
    plan: Annotated[str, typer.Argument(help="The hash of a plan, or its beginning.")],
    output: OutputOption = Format.TABLE,
) -> None:
    """Apply a plan that was shown, where it would still do just that."""
    show_one(_apply(plan), output)


@app.command("list")
def list_bundles(order_by: OrderOption = None, limit: LimitOption = 0, output: OutputOption = Format.TABLE) -> None:
    """Show the bundles, each with the version that is in service."""
    rows = api().listed("GET /api/v2/bundles", "bundles", limit=limit, query={"order_by": order_by})
    show_rows(rows, COLUMNS, output, empty="No bundles: `flowd bundles push DIR` makes one.")


@app.command()
def versions(
    name: NameArgument, order_by: OrderOption = None, limit: LimitOption = 0, output: OutputOption = Format.TABLE
) -> None:
    """Show the versions of a bundle that are kept, the newest first."""
    operation = "GET /api/v2/bundles/{bundle_name}/versions"
    rows = api().listed(operation, "versions", limit=limit, query={"order_by": order_by}, bundle_name=name)
    show_rows(rows, COLUMNS, output)


@app.command()
def show(
    name: NameArgument,
    version: Annotated[int | None, typer.Option("--version", help="Which; the one in service by default.")] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show a version of a bundle."""
    if version is None:
        show_one(api().call("GET /api/v2/bundles/{bundle_name}", bundle_name=name), output)
        return
    operation = "GET /api/v2/bundles/{bundle_name}/versions/{version_number}"
    show_one(api().call(operation, bundle_name=name, version_number=version), output)


@app.command()
def rollback(
    name: NameArgument,
    to: Annotated[int | None, typer.Option("--to", help="Which version; the one below that in service.")] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the plan of going back to a version that was in service before, and apply it."""
    operation = "POST /api/v2/bundles/{bundle_name}/rollbackPlans"
    plan = api().call(operation, body={"version_number": to}, bundle_name=name)
    _offer(plan, dry_run, yes, output)


def _offer(plan: dict[str, Any], dry_run: bool, yes: bool, output: Format) -> None:
    """Show the plan, and apply it where somebody wants that; the data is the plan and the version that came of it."""
    is_for_eyes = output is Format.TABLE
    if is_for_eyes:
        _show(plan, None, output)
    if plan["errors"]:
        if not is_for_eyes:
            _show(plan, None, output)
        raise Conflict(f"{len(plan['errors'])} files have errors: mend them and push again; nothing is applied")
    version = None
    if plan["is_empty"] and plan["from_version"] is not None:
        note("Nothing would change.")
    elif not dry_run:
        confirm(f"Apply this to bundle {plan['name']}?", yes)
        version = _apply(plan["hash"])
        note(f"Version {version['version_number']} of bundle {plan['name']} is in service.")
    else:
        note(f"Nothing is applied: `flowd bundles apply {plan['hash'][:12]}` does it.")
    if not is_for_eyes:
        _show(plan, version, output)


def _show(plan: dict[str, Any], version: dict[str, Any] | None, output: Format) -> None:
    if output is Format.TABLE:
        print("\n".join(plan_lines(plan)))
    else:
        show_one({"plan": plan, "version": version}, output)


def _apply(plan: str) -> dict[str, Any]:
    applied: dict[str, Any] = api().call("POST /api/v2/bundlePlans/{plan_hash}/apply", plan_hash=plan)
    return applied
