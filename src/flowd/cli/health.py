"""`flowd health`: whether the metastore, the queue and the node answer."""

import asyncio
from typing import TYPE_CHECKING

import typer

from flowd.cli.client.current import api
from flowd.cli.client.target import chosen_server
from flowd.cli.exit_codes import ExitCode
from flowd.cli.lazy import new_app
from flowd.cli.options import OutputOption
from flowd.cli.output import Format, show_rows
from flowd.cli.session import connected, read_settings, say_only_what_is_wrong
from flowd.domain.errors import Unavailable

if TYPE_CHECKING:
    from flowd.settings.model import Settings

app = new_app()

HEALTHY, UNHEALTHY, ABSENT = "healthy", "unhealthy", "not running"
ANSWER_SECONDS = 5.0

Row = dict[str, str]


@app.command()
def health(output: OutputOption = Format.TABLE) -> None:
    """Ask the metastore, the queue and this machine's node: exit code 0 if all is well, 5 if one is away, else 1.

    Where the commands go to a server, ask it how its cluster is.
    """
    if chosen_server() is not None:
        _ask_server(output)
        return
    settings = read_settings()
    say_only_what_is_wrong(settings)
    rows = asyncio.run(_look(settings))
    show_rows(rows, ("part", "status", "detail"), output)
    if any(row["status"] == UNHEALTHY for row in rows):
        is_away = any(row["status"] == UNHEALTHY and row["part"] != "node" for row in rows)
        raise typer.Exit(ExitCode.UNREACHABLE if is_away else ExitCode.FAILED)


def _ask_server(output: Format) -> None:
    parts = api().call("GET /api/v2/monitor/health")
    rows = [
        _row(part, found["status"], next((str(seen) for name, seen in found.items() if name != "status" and seen), ""))
        for part, found in parts.items()
        if found["status"] is not None
    ]
    show_rows(rows, ("part", "status", "detail"), output)
    if any(row["status"] == UNHEALTHY for row in rows):
        raise typer.Exit(ExitCode.FAILED)


async def _look(settings: "Settings") -> list[Row]:
    return list(await asyncio.gather(_metastore(settings), _queue(settings), _node(settings)))


async def _metastore(settings: "Settings") -> Row:
    from flowd.db.revisions import SchemaState, current

    async with connected(settings) as metastore:
        try:
            status = await current(metastore)
        except Unavailable as error:
            return _row("metastore", UNHEALTHY, str(error))
        is_ready = status.state is SchemaState.UP_TO_DATE or (metastore.is_embedded and status.found is None)
        return _row("metastore", HEALTHY if is_ready else UNHEALTHY, f"{metastore.name}: {status}")


async def _queue(settings: "Settings") -> Row:
    if settings.queue.is_embedded:
        return _row("queue", HEALTHY, "the metastore is the queue")
    from flowd.node.brokers import make_broker_queue
    from flowd.queue.message import SigningKeys

    keys = SigningKeys.from_secrets(settings.security.secret_keys)
    queue = make_broker_queue(settings.queue, keys)
    async with queue.open():
        try:
            await queue.check()
        except Unavailable as error:
            return _row("queue", UNHEALTHY, str(error))
    return _row("queue", HEALTHY, str(settings.queue.url))


async def _node(settings: "Settings") -> Row:
    """What this machine's node says of itself. None may run here, or none with the api role: that is no illness."""
    import httpx

    wildcards = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
    host = wildcards.get(settings.api.host, settings.api.host)
    url = f"http://{host}:{settings.api.port}/readyz"
    try:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
            answer = await client.get(url)
    except httpx.ConnectError:
        return _row("node", ABSENT, f"nothing listens at {url}")
    except httpx.HTTPError as error:
        return _row("node", UNHEALTHY, f"{url}: {type(error).__name__}")
    text = " ".join(answer.text.split())
    return _row("node", HEALTHY if answer.is_success else UNHEALTHY, f"{url}: {answer.status_code} {text}".rstrip())


def _row(part: str, status: str, detail: str) -> Row:
    return {"part": part, "status": status, "detail": detail}
