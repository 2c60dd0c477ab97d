"""Options and arguments that many commands have."""

import json
import os
import sys
from typing import Annotated, Any

import typer

from flowd.cli.output import Format
from flowd.domain.errors import InvalidInput

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
FileArgument = Annotated[str, typer.Argument(help="A file, or - for standard input or output.")]


def confirm(question: str, is_certain: bool) -> None:
    """Return where the person said yes, with --yes or on the terminal; else exit. A script without --yes is told so."""
    if is_certain:
        return
    if not sys.stdin.isatty():
        raise InvalidInput(f"{question} Nobody can be asked here; add --yes")
    typer.confirm(question, abort=True, err=True)


def conf_object(text: str | None) -> dict[str, Any]:
    """Return the object that --conf gives, empty where it is not given; raise InvalidInput for anything else."""
    try:
        document = json.loads(text) if text is not None else {}
    except ValueError as error:
        raise InvalidInput(f'--conf is no JSON: {error}; write it as \'{{"name": "value"}}\'') from error
    if not isinstance(document, dict):
        raise InvalidInput(f'--conf is {type(document).__name__}; wanted a JSON object, as \'{{"name": "value"}}\'')
    return document


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
