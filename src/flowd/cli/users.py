"""`flowd users`: people who may log in."""

import sys
from typing import Annotated

import typer

from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import LimitOption, OutputOption, YesOption, confirm
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.domain.errors import InvalidInput

app = new_app("People who may log in.")

COLUMNS = ("username", "role", "groups", "is_active", "has_password", "created_at")

UsernameArgument = Annotated[str, typer.Argument(help="The name to log in with.")]
PasswordOption = Annotated[
    str | None,
    typer.Option("--password", "-p", help="Better left out: it is asked for, and other users see arguments."),
]
GroupOption = Annotated[
    list[str] | None, typer.Option("--group", "-g", help="A group by which DAGs may let them in; may be repeated.")
]
StdinOption = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command("list")
def list_users(limit: LimitOption = 0, output: OutputOption = Format.TABLE) -> None:
    """Show everyone who may log in."""
    rows = api().listed("GET /api/v2/users", "users", limit=limit)
    show_rows(rows, COLUMNS, output, empty="No users yet: `flowd users create` makes one.")


@app.command()
def show(username: UsernameArgument, output: OutputOption = Format.TABLE) -> None:
    """Show somebody who may log in."""
    show_one(api().call("GET /api/v2/users/{username}", username=username), output)


@app.command()
def create(
    username: Annotated[str | None, typer.Argument(help="The name to log in with.")] = None,
    username_option: Annotated[str | None, typer.Option("--username", "-u", hidden=True)] = None,
    role: Annotated[str, typer.Option("--role", "-r", help="Viewer, User, Op or Admin.")] = "Viewer",
    group: GroupOption = None,
    password: PasswordOption = None,
    password_stdin: StdinOption = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="Let them in by one-time links only.")] = False,
    firstname: Annotated[str | None, typer.Option("--firstname", "-f", hidden=True)] = None,
    lastname: Annotated[str | None, typer.Option("--lastname", "-l", hidden=True)] = None,
    email: Annotated[str | None, typer.Option("--email", "-e", hidden=True)] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Let somebody in. Airflow's `-u NAME -p PASSWORD -r ROLE -f -l -e` is understood as well."""
    name = username or username_option
    if name is None:
        raise InvalidInput("no user name was given; wanted `flowd users create NAME --role ROLE`")
    if firstname or lastname or email:
        note("flowd: names and addresses of people are not kept: --firstname, --lastname and --email have no effect")
    chosen = None if no_password else chosen_password(password, password_stdin)
    body = {"username": name, "role": role, "groups": group or [], "password": chosen}
    show_one(api().call("POST /api/v2/users", body=body), output)


@app.command("set-groups")
def set_groups(
    username: UsernameArgument,
    groups: Annotated[list[str] | None, typer.Argument(help="Every group from now on; none for none.")] = None,
) -> None:
    """Say to which groups somebody belongs: DAGs let them in by that (`access_control`)."""
    changed = api().call("PATCH /api/v2/users/{username}", body={"groups": groups or []}, username=username)
    note(f"User {username} is in {', '.join(changed['groups']) or 'no group'} now.")


@app.command()
def delete(username: UsernameArgument, yes: YesOption = False) -> None:
    """Shut somebody out for good."""
    confirm(f"Delete user {username}?", yes)
    api().call("DELETE /api/v2/users/{username}", username=username)
    note(f"User {username} is deleted.")


@app.command("reset-password")
def reset_password(
    username: UsernameArgument, password: PasswordOption = None, password_stdin: StdinOption = False
) -> None:
    """Give somebody another password."""
    body = {"password": chosen_password(password, password_stdin)}
    api().call("PATCH /api/v2/users/{username}", body=body, username=username)
    note(f"User {username} has a new password.")


@app.command()
def revoke(username: UsernameArgument, yes: YesOption = False) -> None:
    """End whatever lets somebody in but their password: sessions, login links, tokens of any kind."""
    confirm(f"End every session and token of user {username}?", yes)
    api().call("POST /api/v2/users/{username}/revoke", username=username)
    note(f"User {username} has no session and no token any more.")


@app.command("set-role")
def set_role(username: UsernameArgument, role: Annotated[str, typer.Argument(help="Viewer, User, Op, Admin.")]) -> None:
    """Let somebody do more, or less."""
    changed = api().call("PATCH /api/v2/users/{username}", body={"role": role}, username=username)
    note(f"User {username} is {changed['role']} now.")


@app.command("login-link")
def login_link(username: UsernameArgument) -> None:
    """Print a link that logs somebody in once, within 15 minutes."""
    made = api().call("POST /api/v2/users/{username}/loginLink", username=username)
    print(f"{_address()}{made['path']}")


def chosen_password(password: str | None, is_on_stdin: bool, *, is_new: bool = True) -> str:
    """Return the password as given, read from standard input, or asked for on the terminal, twice for a new one."""
    if is_on_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if password is not None:
        return password
    if not sys.stdin.isatty():
        other = " or --no-password" if is_new else ""
        raise InvalidInput(f"no password was given, and nobody can be asked here; add --password-stdin{other}")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=is_new, err=True))


def _address() -> str:
    from flowd.cli.session import read_settings_without_keys

    server = api().server
    return server.url if server else read_settings_without_keys().api.url
