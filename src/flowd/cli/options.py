"""Options and arguments that many commands have."""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from flowd.cli.completion import complete_dag
from flowd.cli.output import Format
from flowd.domain.errors import InvalidInput
from flowd.settings.units import parse_duration

OutputOption = Annotated[Format, typer.Option("--output", "-o", help="How to print the data.")]
LatestOption = Annotated[
    bool, typer.Option("--latest", help="On the DAG's latest version, not the one the run began with.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
ConfOption = Annotated[str | None, typer.Option("--conf", "-c", help="A JSON object that the tasks see.")]
TestedDagArgument = Annotated[str, typer.Argument(metavar="DAG_ID|FILE", help="A DAG of the DAG folder, or a file.")]
TestedDateArgument = Annotated[
    str | None, typer.Argument(metavar="[LOGICAL_DATE]", help="As 2026-11-22, in UTC; now where none is given.")
]
DagIdOption = Annotated[str | None, typer.Option("--dag-id", help="Which DAG, where the file defines several.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", help="How many at most; 0 for all.", min=0)]
OrderOption = Annotated[
    str | None, typer.Option("--order-by", help="A field of the API to order by; -FIELD for the other way round.")
]
DagArgument = Annotated[str, typer.Argument(help="The DAG.", autocompletion=complete_dag)]
RunArgument = Annotated[str, typer.Argument(help="The run's id.")]
TaskArgument = Annotated[str, typer.Argument(help="The task.")]
TryOption = Annotated[int | None, typer.Option("--try", "-t", help="Which try; the latest where none is given.")]
IndexOption = Annotated[int, typer.Option("--map-index", help="Which of a mapped task's instances; -1 is unmapped.")]
NoteOption = Annotated[str | None, typer.Option("--note", help="A word about it, for whoever looks later.")]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", help="Give up waiting after so many seconds: exit code 124.", min=0)
]
SinceOption = Annotated[str | None, typer.Option("--since", help="Only from this moment on, as 2026-11-22.")]
UntilOption = Annotated[str | None, typer.Option("--until", help="Only up to this moment.")]
FileArgument = Annotated[str, typer.Argument(help="A file, or - for standard input or output.")]


def confirm(question: str, is_certain: bool) -> None:
    """Return where the person said yes, with --yes or on the terminal; else exit. A script without --yes is told so."""
    if is_certain:
        return
    if not sys.stdin.isatty():
        raise InvalidInput(f"{question} Nobody can be asked here; add --yes")
    typer.confirm(question, abort=True, err=True)


def conf_object(text: str | None, option: str = "--conf") -> dict[str, Any]:
    """Return the object that the option gives, empty where it is not given; raise InvalidInput for anything else."""
    try:
        document = json.loads(text) if text is not None else {}
    except ValueError as error:
        raise InvalidInput(f'{option} is no JSON: {error}; write it as \'{{"name": "value"}}\'') from error
    if not isinstance(document, dict):
        raise InvalidInput(f'{option} is {type(document).__name__}; wanted a JSON object, as \'{{"name": "value"}}\'')
    return document


def moment_of(text: str) -> datetime:
    """Return the moment that the text names, in UTC where it has no zone; raise InvalidInput where it names none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no date; write it as 2026-11-22 or 2026-11-22T06:00:00+01:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def moment_text(text: str | None) -> str | None:
    """Return the moment as the API takes it, None for none; raise InvalidInput for what is no date."""
    return None if text is None else moment_of(text).isoformat()


def duration_of(text: str, option: str) -> timedelta:
    """Return the duration that the option gives, as 30m or 90d; raise InvalidInput for none."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidInput(f"{option}: {error}") from error


def read_text(path: str) -> str:
    """Return the text of the file, or of standard input for "-"; raise InvalidInput where it cannot be read."""
    try:
        if path == "-":
            return sys.stdin.read()
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error


def read_object(path: str) -> dict[str, Any]:
    """Return the JSON object in the file, or on standard input for "-"; raise InvalidInput where it holds none."""
    try:
        document = json.loads(read_text(path))
    except ValueError as error:
        raise InvalidInput(f"{path} is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{path} holds {type(document).__name__}; wanted a JSON object, a name for each entry")
    return document


def write_text(path: str, text: str, *, is_secret: bool = False) -> None:
    """Write the file (only its owner can read it where it `is_secret`), or standard output for "-"."""
    if path == "-":
        sys.stdout.write(text)
        return
    try:
        with open(path, "w", encoding="utf-8", opener=_private if is_secret else None) as file:
            file.write(text)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
