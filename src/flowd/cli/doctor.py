"""`flowd doctor`: what is wrong with a cluster, and what to do about it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import typer

from flowd.cli.client.current import api
from flowd.cli.exit_codes import ExitCode
from flowd.cli.lazy import new_app
from flowd.cli.options import OutputOption
from flowd.cli.output import Format, show_rows

app = new_app()

COLUMNS = ("part", "finding", "advice")
LONG_SECONDS = 300
"""How long something may be queued before it is worth a word."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be: of which part, what, and what to do."""

    part: str
    finding: str
    advice: str


@app.command()
def doctor(output: OutputOption = Format.TABLE) -> None:
    """Look for what keeps DAGs from running, and say what to do; exit code 1 where something is found."""
    findings = [*_roles(), *_files(), *_queues(), *_pools(), *_secrets()]
    show_rows([asdict(one) for one in findings], COLUMNS, output, empty="Nothing is wrong that a look can find.")
    if findings:
        raise typer.Exit(ExitCode.FAILED)


def _roles() -> Iterator[Finding]:
    if api().call("GET /api/v2/monitor/health")["scheduler"]["status"] != "healthy":
        yield Finding("scheduler", "no scheduler has been seen for 30 seconds", "flowd run --roles scheduler")
    by_state: dict[str, list[str]] = {}
    for worker in api().listed("GET /api/v2/workers", "workers"):
        by_state.setdefault(worker["state"], []).append(worker["id"][:8])
    if "active" not in by_state:
        yield Finding("workers", "no worker takes work", "flowd run --roles worker, or flowd workers undrain ID")
    if silent := by_state.get("silent"):
        yield Finding("workers", f"silent: {', '.join(silent)}", "see whether these machines are still there")


def _files() -> Iterator[Finding]:
    for error in api().listed("GET /api/v2/importErrors", "import_errors", limit=10):
        last = (error["stack_trace"].strip().splitlines() or [""])[-1]
        yield Finding("DAG files", f"{error['filename']} cannot be read: {last}", "flowd dags import-errors")
    for warning in api().listed("GET /api/v2/dagWarnings", "dag_warnings", limit=10):
        yield Finding("DAGs", f"{warning['dag_id']}: {warning['message']}", f"flowd dags show {warning['dag_id']}")


def _queues() -> Iterator[Finding]:
    for queue in api().listed("GET /api/v2/queues", "queues"):
        waits = queue["queued"] + queue["scheduled"]
        if waits and not queue["workers"]:
            advice = f"flowd run --roles worker --queues {queue['name']}"
            yield Finding("queues", f"{waits} tasks wait in {queue['name']}, and no worker takes from it", advice)
        elif queue["is_paused"]:
            yield Finding("queues", f"{queue['name']} is paused", f"flowd queues resume {queue['name']}")
        elif (queue["oldest_queued_seconds"] or 0) > LONG_SECONDS:
            found = f"a task has been queued in {queue['name']} for {queue['oldest_queued_seconds']:.0f} s"
            yield Finding("queues", found, "flowd workers list shows whether there is room")
    dead = api().call("GET /api/v2/deadLetters", query={"limit": 1})["total_entries"]
    if dead:
        yield Finding("queues", f"{dead} messages were put aside", "flowd queues dead")


def _pools() -> Iterator[Finding]:
    for pool in api().listed("GET /api/v2/pools", "pools"):
        if not pool["open_slots"] and pool["scheduled_slots"]:
            found = f"{pool['name']} is full, and {pool['scheduled_slots']} slots are waited for"
            yield Finding("pools", found, f"flowd pools set {pool['name']} MORE")


def _secrets() -> Iterator[Finding]:
    for variable in api().listed("GET /api/v2/variables", "variables"):
        if variable["problem"]:
            yield Finding("variables", variable["problem"], f"flowd variables set {variable['key']} VALUE")
    for connection in api().listed("GET /api/v2/connections", "connections"):
        if connection["problem"]:
            advice = f"flowd connections set {connection['connection_id']} --uri URI"
            yield Finding("connections", connection["problem"], advice)
