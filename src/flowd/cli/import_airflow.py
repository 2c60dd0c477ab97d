"""`flowd import-airflow`: variables, connections, pools, pause states and history of an Airflow installation."""

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flowd.cli.lazy import new_app
from flowd.cli.options import OutputOption, YesOption, confirm, moment_of
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.cli.progress import progress_bar
from flowd.cli.session import with_secrets
from flowd.domain.errors import InvalidInput

if TYPE_CHECKING:
    from flowd.actions.airflow_import.report import Part, Report
    from flowd.actions.airflow_import.wish import Wish
    from flowd.db.metastore import Metastore
    from flowd.settings.model import Settings

COLUMNS = ("part", "fate", "count", "reason", "names")
SOURCE_VARIABLES = ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__SQL_ALCHEMY_CONN")
KEY_VARIABLE = "AIRFLOW__CORE__FERNET_KEY"

app = new_app()


@app.command()
def import_airflow(
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL",
            help="Airflow's metastore: postgresql://…, mysql://… or sqlite:////PATH;"
            " AIRFLOW__DATABASE__SQL_ALCHEMY_CONN else.",
        ),
    ] = None,
    fernet_key: Annotated[
        str | None,
        typer.Option(
            "--fernet-key",
            help="What Airflow encrypts with, - reads it: other users see arguments; AIRFLOW__CORE__FERNET_KEY else.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Only pools, variables, connections, runs or pauses; may be repeated."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Only runs that ended at this moment or later, as 2026-11-22.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Take Airflow's value also where flowd has another.")
    ] = False,
    unpause: Annotated[
        bool,
        typer.Option("--unpause", help="Let DAGs go on that go on in Airflow; stop its scheduler before."),
    ] = False,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out what the Fernet key does not open.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come and be left out.")] = False,
    yes: YesOption = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Bring pools, variables, connections, ended runs and pause states of an Airflow 2 or 3 into the metastore.

    Airflow's metastore is only read. What flowd has stays, so the import may be repeated: it brings what is new. Runs
    come as history, with their task instances and dates; those that have not ended are left out. A DAG must be known
    to flowd before its runs and its pause state can come.
    """
    from flowd.actions.airflow_import.wish import Wish
    from flowd.db.airflow_source.stored_secrets import AirflowVault

    wish = Wish(
        parts=_parts(only or []),
        overwrite=overwrite,
        unpause=unpause,
        is_dry_run=dry_run,
        skip_unreadable=skip_unreadable,
        since=None if since is None else moment_of(since),
    )
    url = source or next((os.environ[name] for name in SOURCE_VARIABLES if os.environ.get(name)), "")
    _check_source(url)
    opener = AirflowVault(_key(fernet_key))
    if not dry_run and overwrite:
        confirm("Overwrite what flowd has with Airflow's values?", yes)
    if not dry_run and unpause:
        confirm("Let DAGs go on here? Airflow's scheduler must be stopped, or both run them.", yes)

    async def run(settings: "Settings", metastore: "Metastore") -> "Report":
        from flowd.actions.airflow_import.import_airflow import import_airflow, totals
        from flowd.db.airflow_source.source import opened
        from flowd.security.vault import Vault

        vault = Vault(settings.security.fernet_keys)
        async with opened(url) as airflow:
            with progress_bar() as bar:
                bars = {
                    part: bar.add_task(part.value.capitalize(), total=total)
                    for part, total in (await totals(airflow, wish)).items()
                }
                return await import_airflow(
                    airflow, opener, metastore, vault, wish, lambda part, rows: bar.advance(bars[part], rows)
                )

    _show(with_secrets(run), wish, output)


def _parts(names: list[str]) -> "frozenset[Part]":
    from flowd.actions.airflow_import.report import Part
    from flowd.actions.airflow_import.wish import ASKABLE

    known = {part.value: part for part in ASKABLE}
    if unknown := [name for name in names if name not in known]:
        raise InvalidInput(f"--only: {unknown[0]!r} is no part of Airflow; wanted {', '.join(known)}")
    return frozenset[Part](known[name] for name in names) or frozenset(ASKABLE)


def _check_source(url: str) -> None:
    if not url:
        raise InvalidInput(
            f"no Airflow was named: give the URL of its metastore with --from, or as {SOURCE_VARIABLES[0]}"
        )
    if url.startswith(("http://", "https://")):
        raise InvalidInput(
            "--from wants the URL of Airflow's metastore, as postgresql://USER:PASSWORD@HOST/DATABASE: its REST API"
            " shows no passwords, and not all of a run"
        )


def _key(given: str | None) -> str:
    if given == "-":
        return sys.stdin.read().strip()
    return os.environ.get(KEY_VARIABLE, "") if given is None else given


def _show(report: "Report", wish: "Wish", output: Format) -> None:
    from flowd.actions.airflow_import.report import Fate, Part

    if output in (Format.JSON, Format.YAML):
        counts = {
            part.value: {fate.value: report.count(part, fate) for fate in Fate}
            for part in Part
            if part in wish.parts or (part is Part.TASKS and Part.RUNS in wish.parts)
        }
        groups = [asdict(group) for group in report.groups]
        show_one({"is_dry_run": wish.is_dry_run, **counts, "groups": groups}, output)
        return
    rows: list[Mapping[str, Any]] = [
        {**asdict(group), "names": _names(group.names, group.count, is_named=group.part not in (Part.RUNS, Part.TASKS))}
        for group in report.groups
    ]
    show_rows(rows, COLUMNS, output, empty="There is nothing to import.")
    written = sum(report.count(part, fate) for part in Part for fate in Fate if fate.is_written)
    if not written:
        note("Nothing is new.")
    elif wish.is_dry_run:
        note("Nothing was written: without --dry-run this is done.")


def _names(names: list[str], count: int, *, is_named: bool) -> str:
    """The names in a line; of runs and tasks these are their DAGs, of which `count` says nothing."""
    more = f", … and {count - len(names)} more" if is_named and count > len(names) else ""
    return ", ".join(names) + more
