"""`flowd version`."""

import platform
from importlib.metadata import PackageNotFoundError, version

import typer

from flowd import __version__
from flowd.cli.lazy import new_app
from flowd.cli.options import OutputOption
from flowd.cli.output import Format, show_one

app = new_app()

LIBRARIES = ("sqlalchemy", "asyncpg", "asyncmy", "aio-pika", "aioboto3", "fastapi", "pydantic")


@app.command()
def show(
    output: OutputOption = Format.PLAIN,
    with_libraries: bool = typer.Option(False, "--all", help="Also Python and the libraries that matter."),
) -> None:
    """Which flowd this is."""
    if output is Format.PLAIN and not with_libraries:
        print(__version__)
        return
    rows = {"flowd": __version__}
    if with_libraries:
        rows |= {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}}
    show_one(rows, output)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
