"""A command whose module is imported when it is run: `flowd --help` reads one line about each and imports none."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


def new_app(summary: str | None = None) -> typer.Typer:
    """Return an app for a noun's commands. Help is plain text: rich would take longer to import than all else."""
    app = typer.Typer(
        help=summary,
        no_args_is_help=summary is not None,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    if summary is not None:
        # Or typer would make a noun that has one verb the verb itself.
        app.callback()(_no_more_than_its_verbs)
    return app


def _no_more_than_its_verbs() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Noun:
    """`target` is `module:attribute`, a typer app; `summary` is what `flowd --help` says of it."""

    target: str
    summary: str
    is_hidden: bool = False


class Later(TyperCommand):
    """Stands in for a command until somebody calls it or asks for its help."""

    def __init__(self, name: str, noun: Noun) -> None:
        super().__init__(name=name, help=noun.summary, hidden=noun.is_hidden)
        self._target = noun.target

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Import the command and let it go on: from here on it is the real one."""
        module, _, attribute = self._target.partition(":")
        command = typer.main.get_command(getattr(importlib.import_module(module), attribute))
        return command.make_context(info_name, args, parent, **extra)


class LazyGroup(TyperGroup):
    """A group whose commands are named in a table, `nouns`, in the order that help shows them."""

    nouns: Mapping[str, Noun] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in order."""
        return list(self.nouns)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the stand-in of a command, or None for a name that is none."""
        noun = self.nouns.get(cmd_name)
        return None if noun is None else Later(cmd_name, noun)
