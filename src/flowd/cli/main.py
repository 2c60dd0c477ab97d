"""The command `flowd`: finds the noun, runs it, and turns what went wrong into a message and an exit code."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from flowd import __version__
from flowd.cli.client.current import api_session
from flowd.cli.client.target import CHOSEN
from flowd.cli.exit_codes import ExitCode, exit_code_of
from flowd.cli.lazy import LazyGroup
from flowd.cli.nouns import NOUNS
from flowd.cli.output import note
from flowd.cli.session import TYPED
from flowd.domain.errors import FlowdError

DEBUG = "--debug"
API = "--api"


class Nouns(LazyGroup):
    """All nouns of flowd."""

    nouns = NOUNS


app = typer.Typer(
    cls=Nouns,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `flowd run`. Settings are variables, FLOWD__SECTION__KEY: `flowd config list` shows them.",
)


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        print(__version__)
        raise typer.Exit()


@app.callback()
def flowd(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Which flowd this is.")
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error; works anywhere.")] = False,
    api: Annotated[
        str | None, typer.Option(API, metavar="URL|local", help="The server to speak to; works anywhere.")
    ] = None,
) -> None:
    """Airflow's DAG files, API and habits in one asyncio process per node."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit, with a code of `ExitCode`; an error is a message unless --debug is given."""
    run_app(app, arguments, "flowd")


def run_app(chosen: typer.Typer, arguments: Sequence[str] | None, name: str) -> None:
    """Run a command line, called `name` in its help, and exit as `main` does."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Everything behind "--" is somebody else's: there it is no option of ours.
    ours = given[: given.index("--")] if "--" in given else given
    behind = given[len(ours) :]
    is_debugging = DEBUG in ours
    ours, server = _without_api([one for one in ours if one != DEBUG])
    CHOSEN.set(server)
    given = ours + behind
    TYPED.set(tuple(one for one in given[:2] if not one.startswith("-")))
    try:
        with api_session():
            chosen(args=given, prog_name=name)
    except FlowdError as error:
        if is_debugging:
            raise
        note(f"flowd: {error}")
        sys.exit(exit_code_of(error))
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:
        if is_debugging:
            raise
        note(f"flowd: unexpected {type(error).__name__}: {error}")
        note(f"This is a mistake in flowd. Run the command again with {DEBUG}, and report what it shows.")
        sys.exit(ExitCode.FAILED)


def _without_api(given: list[str]) -> tuple[list[str], str | None]:
    """The arguments without `--api URL`, wherever it stands, and the last URL that was given."""
    rest, server = [], None
    remaining = iter(given)
    for one in remaining:
        if one == API:
            server = next(remaining, None)
            if server is None:
                return given, None  # click says what is missing
        elif one.startswith(f"{API}="):
            server = one.removeprefix(f"{API}=")
        else:
            rest.append(one)
    return rest, server
