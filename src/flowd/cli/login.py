"""`flowd login` and `flowd logout`: which server the commands go to, and by what token they are let in."""

import sys
from typing import Annotated

import typer

from flowd.cli.client import logins
from flowd.cli.client.target import CHOSEN, TOKEN_VARIABLE, URL_VARIABLE, Server, chosen_server, server_url
from flowd.cli.lazy import new_app
from flowd.cli.output import note
from flowd.cli.users import chosen_password
from flowd.domain.errors import InvalidInput

app = new_app()
logout = new_app()

UrlArgument = Annotated[str | None, typer.Argument(metavar="[URL]", help="As https://flowd.example.com.")]


@app.command()
def login(
    url: UrlArgument = None,
    username: Annotated[str | None, typer.Option("--username", "-u", help="It is asked for else.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read a token of `flowd tokens create` instead of a password.")
    ] = False,
) -> None:
    """Log in at a server. All commands go there from now on, until `flowd logout`, or but for those with --api local.

    The token is kept in a file in FLOWD_HOME that only you can read, never the password.
    """
    from flowd.cli.client.api import open_api

    server = server_url(_named(url))
    if server.startswith("http://") and not _is_this_machine(server):
        note(f"flowd: warning: {server} is not encrypted: whoever is on the way can read the password and the token")
    if token_stdin:
        token = sys.stdin.readline().strip()
        if not token:
            raise InvalidInput("there is no token on standard input")
    else:
        name = username or _asked_name()
        body = {"username": name, "password": chosen_password(None, password_stdin, is_new=False)}
        with open_api(Server(server, None)) as api:
            token = api.call("POST /auth/token", body=body)["access_token"]
    with open_api(Server(server, token)) as api:
        api.call("GET /api/v2/dags", query={"limit": 1})  # whether the token lets us in
        version = api.call("GET /api/v2/version")["version"]
    logins.keep(server, token)
    note(f"Logged in at {server}, which runs flowd {version}; commands go there now, and with --api local not.")


@logout.command("logout")
def log_out(url: UrlArgument = None) -> None:
    """Forget the token for a server; commands go to this machine's settings again."""
    named = url or CHOSEN.get() or logins.current()
    if named is None or not logins.forget(server_url(named)):
        note("You were not logged in there.")
        return
    note(f"Logged out of {server_url(named)}. What others hold ends with: flowd users revoke NAME")
    if (server := chosen_server()) is not None:
        note(f"Commands go to {server.url}: {URL_VARIABLE} or an older login says so; {TOKEN_VARIABLE} is the token.")


def _named(url: str | None) -> str:
    """The server to log in at: the argument, or what the commands go to anyway."""
    if url is not None:
        return url
    server = chosen_server()
    if server is None:
        raise InvalidInput("no server was given; wanted `flowd login URL`, as https://flowd.example.com")
    return server.url


def _asked_name() -> str:
    if not sys.stdin.isatty():
        raise InvalidInput("no user name was given, and nobody can be asked here; add --username NAME or --token-stdin")
    return str(typer.prompt("User name", err=True))


def _is_this_machine(url: str) -> bool:
    from urllib.parse import urlsplit

    return (urlsplit(url).hostname or "") in ("localhost", "127.0.0.1", "::1")
