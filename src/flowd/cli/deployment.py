"""`flowd jobs`, `flowd plugins`, `flowd providers` and `flowd info`: what the cluster is made of."""

from typing import Annotated

import typer

from flowd import __version__
from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import LimitOption, OrderOption, OutputOption
from flowd.cli.output import Format, show_one, show_rows

jobs = new_app("The roles that nodes run.")
plugins = new_app("Plugins of the DAG folder.")
providers = new_app("Airflow's provider packages that are installed.")
info = new_app()


@jobs.command("list")
def list_jobs(
    alive: Annotated[bool | None, typer.Option("--alive/--silent", help="Only those heard of, or not.")] = None,
    job_type: Annotated[str | None, typer.Option("--type", help="As SchedulerJob.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="running or failed.")] = None,
    hostname: Annotated[str | None, typer.Option("--hostname", help="Only on this machine.")] = None,
    order_by: OrderOption = None,
    limit: LimitOption = 0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the roles that nodes run, as Airflow's jobs."""
    query = {
        "is_alive": alive,
        "job_type": job_type,
        "job_state": state,
        "hostname": hostname,
        "order_by": order_by,
    }
    rows = api().listed("GET /api/v2/jobs", "jobs", limit=limit, query=query)
    show_rows(rows, ("id", "job_type", "state", "hostname", "start_date", "latest_heartbeat"), output)


@jobs.command("check")
def check_jobs() -> None:
    """Exit with 0 where a scheduler is alive, else with 1, as `airflow jobs check`."""
    status = api().call("GET /api/v2/monitor/health")["scheduler"]["status"]
    print(status)
    raise typer.Exit(0 if status == "healthy" else 1)


@plugins.command("list")
def list_plugins(limit: LimitOption = 0, output: OutputOption = Format.TABLE) -> None:
    """Show the plugins that a server has loaded: none, for they are loaded where tasks run."""
    rows = api().listed("GET /api/v2/plugins", "plugins", limit=limit)
    show_rows(rows, ("name",), output, empty="No plugins: they are loaded where tasks run, never in a server.")


@plugins.command("import-errors")
def plugin_errors(output: OutputOption = Format.TABLE) -> None:
    """Show the plugins that could not be read."""
    rows = api().call("GET /api/v2/plugins/importErrors")["import_errors"]
    show_rows(rows, ("source", "error"), output, empty="None: a file that names a broken plugin has an import error.")


@providers.command("list")
def list_providers(limit: LimitOption = 0, output: OutputOption = Format.TABLE) -> None:
    """Show the provider packages that the server finds."""
    rows = api().listed("GET /api/v2/providers", "providers", limit=limit)
    show_rows(rows, ("package_name", "version", "description"), output, empty="None: flowd has operators of its own.")


@info.command("info")
def show_info(output: OutputOption = Format.TABLE) -> None:
    """Show where the commands go, and which flowd is there."""
    server = api().server
    shown = {
        "api": server.url if server else "local: this machine's settings",
        "has_token": server.token is not None if server else None,
        "version": api().call("GET /api/v2/version")["version"],
        "command_version": __version__,
    }
    show_one(shown, output)
