"""`flowd run`, and Airflow's words for it."""

import os
from typing import Annotated

import typer

from flowd.cli.lazy import new_app
from flowd.cli.swift_import import swift_import

app = new_app()
scheduler = new_app()
worker = new_app()
api_server = new_app()

RolesOption = Annotated[str | None, typer.Option("--roles", help="A comma list of api, scheduler, worker, kerberos.")]
QueuesOption = Annotated[
    str | None, typer.Option("--queues", "-q", help="The queues to take tasks from: a comma list.")
]
ConcurrencyOption = Annotated[int | None, typer.Option("--concurrency", "-c", help="How many tasks run at a time.")]
DrainOption = Annotated[
    str | None, typer.Option("--drain-timeout", help="How long tasks may take to end after SIGTERM, as 60s.")
]
HostOption = Annotated[str | None, typer.Option("--host", "-H", help="The address that the API listens on.")]
PortOption = Annotated[int | None, typer.Option("--port", "-p", help="The port that the API listens on.")]


@app.command()
def run(
    roles: RolesOption = None,
    queues: QueuesOption = None,
    concurrency: ConcurrencyOption = None,
    drain_timeout: DrainOption = None,
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Run a node until it is told to stop: SIGTERM and Ctrl-C drain it, a second one stops it at once."""
    run_node(
        {
            "node.roles": roles,
            "worker.queues": queues,
            "worker.concurrency": concurrency,
            "worker.drain_timeout": drain_timeout,
            "api.host": host,
            "api.port": port,
        }
    )


@scheduler.command()
def run_scheduler() -> None:
    """Run a node with the scheduler role."""
    run_node({"node.roles": "scheduler"})


@worker.command()
def run_worker(
    queues: QueuesOption = None, concurrency: ConcurrencyOption = None, drain_timeout: DrainOption = None
) -> None:
    """Run a node with the worker role."""
    flags = {"worker.queues": queues, "worker.concurrency": concurrency, "worker.drain_timeout": drain_timeout}
    run_node({"node.roles": "worker", **flags})


@api_server.command()
def run_api_server(
    host: HostOption = None,
    port: PortOption = None,
    workers: Annotated[int | None, typer.Option("--workers", "-w", help="Processes that share the port.")] = None,
) -> None:
    """Run a node with the api role."""
    run_node({"node.roles": "api", "api.host": host, "api.port": port, "api.workers": workers})


def run_node(flags: dict[str, object]) -> None:
    """Run a node with these flags to its end, and exit with its code."""
    with swift_import():
        from flowd.logging_setup import configure_logging
        from flowd.settings.load import load_settings

        settings = load_settings(os.environ, flags)
        from flowd.node import main  # after the settings: a bad one is told at once, before the server is imported

    configure_logging(level=settings.logs.level, style=settings.logs.format, secrets=settings.secret_texts())
    raise typer.Exit(main(settings))
