"""The command `flowd`: finds the noun, runs it, and turns what went wrong into a message and an exit code."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from flowd.cli.exit_codes import ExitCode, exit_code_of
from flowd.cli.lazy import LazyGroup
from flowd.cli.nouns import NOUNS
from flowd.cli.output import note
from flowd.domain.errors import FlowdError

DEBUG = "--debug"


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


@app.callback()
def flowd(
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error; works anywhere.")] = False,
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
    is_debugging = DEBUG in ours
    given = [one for one in ours if one != DEBUG] + given[len(ours) :]
    try:
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
