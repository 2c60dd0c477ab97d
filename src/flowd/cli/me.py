"""`flowd me`: who I am for the server, my password, and the tokens of my scripts."""

import sys
from typing import Annotated

import typer

from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import LimitOption, OutputOption, YesOption, confirm, duration_of
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.cli.tokens import COLUMNS
from flowd.domain.errors import InvalidInput

app = new_app("Who I am, my password, and the tokens of my scripts.")

NameArgument = Annotated[str, typer.Argument(help="What the token is called: what it is for.")]


@app.command()
def show(output: OutputOption = Format.TABLE) -> None:
    """Show who I am, and what I may do."""
    show_one(api().call("GET /api/v2/me"), output)


@app.command("set-password")
def set_password(
    stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the old and the new one from standard input.")
    ] = False,
) -> None:
    """Change my password. It ends my sessions: log in again."""
    if stdin:
        old, new = (sys.stdin.readline().rstrip("\r\n") for _ in range(2))
    elif sys.stdin.isatty():
        old = typer.prompt("Old password", hide_input=True, err=True)
        new = typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        raise InvalidInput("nobody can be asked for passwords here; add --password-stdin")
    api().call("PUT /api/v2/me/password", body={"old_password": old, "new_password": new})
    server = api().server
    note(f"You have a new password; log in again{f' with: flowd login {server.url}' if server else ''}.")


@app.command()
def tokens(limit: LimitOption = 0, output: OutputOption = Format.TABLE) -> None:
    """Show my tokens; their secrets are kept by nobody."""
    rows = api().listed("GET /api/v2/me/tokens", "tokens", limit=limit)
    show_rows(rows, COLUMNS, output, empty="No tokens: `flowd me create-token NAME` makes one.")


@app.command("create-token")
def create_token(
    name: NameArgument,
    role: Annotated[str | None, typer.Option("--role", "-r", help="The most it may do; as I may, if left out.")] = None,
    expires: Annotated[str, typer.Option("--expires", help="How long it is good for, as 12h or 90d.")] = "90d",
    output: OutputOption = Format.TABLE,
) -> None:
    """Make a token that lets a script in as me, and show its secret, this once."""
    body = {"name": name, "role": role, "lifetime_seconds": duration_of(expires, "--expires").total_seconds()}
    show_one(api().call("POST /api/v2/me/tokens", body=body), output)


@app.command("revoke-token")
def revoke_token(name: NameArgument, yes: YesOption = False) -> None:
    """Let one of my tokens in no more."""
    confirm(f"Revoke token {name}?", yes)
    api().call("DELETE /api/v2/me/tokens/{token_name}", token_name=name)
    note(f"Token {name} is revoked.")
