"""`flowd users`: people who may log in."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from flowd.cli.lazy import new_app
from flowd.cli.options import OutputOption, YesOption, confirm
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.cli.session import read_settings_without_keys, with_metastore
from flowd.domain.errors import InvalidInput

if TYPE_CHECKING:
    from flowd.db.accounts import Account
    from flowd.db.metastore import Metastore

app = new_app("People who may log in.")

COLUMNS = ("username", "role", "is_active", "has_password", "created_at")

UsernameArgument = Annotated[str, typer.Argument(help="The name to log in with.")]
PasswordOption = Annotated[
    str | None,
    typer.Option("--password", "-p", help="Better left out: it is asked for, and other users see arguments."),
]
StdinOption = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command("list")
def list_users(output: OutputOption = Format.TABLE) -> None:
    """Show everyone who may log in."""
    from flowd.db.accounts import Accounts

    accounts = with_metastore(read_settings_without_keys(), lambda metastore: Accounts(metastore).list())
    show_rows([asdict(one) for one in accounts], COLUMNS, output, empty="No users yet: `flowd users create` makes one.")


@app.command()
def create(
    username: Annotated[str | None, typer.Argument(help="The name to log in with.")] = None,
    username_option: Annotated[str | None, typer.Option("--username", "-u", hidden=True)] = None,
    role: Annotated[str, typer.Option("--role", "-r", help="Viewer, User, Op or Admin.")] = "Viewer",
    password: PasswordOption = None,
    password_stdin: StdinOption = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="Let them in by one-time links only.")] = False,
    firstname: Annotated[str | None, typer.Option("--firstname", "-f", hidden=True)] = None,
    lastname: Annotated[str | None, typer.Option("--lastname", "-l", hidden=True)] = None,
    email: Annotated[str | None, typer.Option("--email", "-e", hidden=True)] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Let somebody in. Airflow's `-u NAME -p PASSWORD -r ROLE -f -l -e` is understood as well."""
    from flowd.db.accounts import Accounts
    from flowd.security.account_role import AccountRole

    name = username or username_option
    if name is None:
        raise InvalidInput("no user name was given; wanted `flowd users create NAME --role ROLE`")
    parsed = AccountRole.parse(role)
    chosen = None if no_password else _chosen_password(password, password_stdin)
    if firstname or lastname or email:
        note("flowd: names and addresses of people are not kept: --firstname, --lastname and --email have no effect")

    async def make(metastore: "Metastore") -> "Account":
        return await Accounts(metastore).create(name, parsed, chosen)

    show_one(asdict(with_metastore(read_settings_without_keys(), make)), output)


@app.command()
def delete(username: UsernameArgument, yes: YesOption = False) -> None:
    """Shut somebody out for good."""
    from flowd.db.accounts import Accounts

    confirm(f"Delete user {username}?", yes)
    with_metastore(read_settings_without_keys(), lambda metastore: Accounts(metastore).delete(username))
    note(f"User {username} is deleted.")


@app.command("reset-password")
def reset_password(
    username: UsernameArgument, password: PasswordOption = None, password_stdin: StdinOption = False
) -> None:
    """Give somebody another password."""
    from flowd.db.accounts import Accounts

    chosen = _chosen_password(password, password_stdin)
    settings = read_settings_without_keys()
    with_metastore(settings, lambda metastore: Accounts(metastore).set_password(username, chosen))
    note(f"User {username} has a new password.")


@app.command("set-role")
def set_role(username: UsernameArgument, role: Annotated[str, typer.Argument(help="Viewer, User, Op, Admin.")]) -> None:
    """Let somebody do more, or less."""
    from flowd.db.accounts import Accounts
    from flowd.security.account_role import AccountRole

    parsed = AccountRole.parse(role)
    with_metastore(read_settings_without_keys(), lambda metastore: Accounts(metastore).set_role(username, parsed))
    note(f"User {username} is {parsed} now.")


@app.command("login-link")
def login_link(username: UsernameArgument) -> None:
    """Print a link that logs somebody in once, within 15 minutes."""
    from flowd.db.login_links import LoginLinks

    settings = read_settings_without_keys()
    token = with_metastore(settings, lambda metastore: LoginLinks(metastore).issue(username))
    print(f"{settings.api.url}/login?token={token}")


def _chosen_password(password: str | None, is_on_stdin: bool) -> str:
    """The password as given, read from standard input, or asked for twice on the terminal."""
    if is_on_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if password is not None:
        return password
    if not sys.stdin.isatty():
        raise InvalidInput("no password was given, and nobody can be asked here; add --password-stdin or --no-password")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
