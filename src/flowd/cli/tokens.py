"""`flowd tokens`: what lets scripts in as somebody."""

from typing import Annotated

import typer

from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import LimitOption, OutputOption, YesOption, confirm, duration_of
from flowd.cli.output import Format, note, show_one, show_rows

app = new_app("Tokens that let scripts in as somebody.")

COLUMNS = ("username", "name", "role", "created_at", "expires_at", "last_used_at", "last_used_from")

UsernameArgument = Annotated[str, typer.Argument(help="Whose token it is.")]
NameArgument = Annotated[str, typer.Argument(help="What the token is called: what it is for.")]


@app.command("list")
def list_tokens(
    username: Annotated[str | None, typer.Argument(help="Of one user only.")] = None,
    limit: LimitOption = 0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the tokens; their secrets are kept by nobody."""
    rows = api().listed("GET /api/v2/tokens", "tokens", limit=limit, query={"username": username})
    show_rows(rows, COLUMNS, output, empty="No tokens: `flowd tokens create` makes one.")


@app.command()
def create(
    username: UsernameArgument,
    name: NameArgument,
    role: Annotated[
        str | None, typer.Option("--role", "-r", help="The most it may do; as the user, if left out.")
    ] = None,
    expires: Annotated[str, typer.Option("--expires", help="How long it is good for, as 12h or 90d.")] = "90d",
    output: OutputOption = Format.TABLE,
) -> None:
    """Make a token and show its secret, this once. Scripts send it as `Authorization: Bearer SECRET`."""
    lifetime = duration_of(expires, "--expires")
    body = {"username": username, "name": name, "role": role, "lifetime_seconds": lifetime.total_seconds()}
    show_one(api().call("POST /api/v2/tokens", body=body), output)


@app.command()
def revoke(username: UsernameArgument, name: NameArgument, yes: YesOption = False) -> None:
    """Let a token in no more."""
    confirm(f"Revoke token {name} of {username}?", yes)
    api().call("DELETE /api/v2/tokens/{username}/{token_name}", username=username, token_name=name)
    note(f"Token {name} of {username} is revoked.")
