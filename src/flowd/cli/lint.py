"""`flowd lint PATH`: what of a DAG folder runs, what with a warning, and what cannot run and why."""

from collections import Counter
from typing import Annotated

import typer

from flowd.cli.exit_codes import ExitCode
from flowd.cli.lazy import new_app
from flowd.cli.options import OutputOption
from flowd.cli.output import Format, note, show_rows
from flowd.cli.session import read_settings_without_keys

COLUMNS = ("file", "line", "verdict", "what")

app = new_app()


@app.command()
def lint(
    path: Annotated[str, typer.Argument(help="A DAG folder, or one file.")],
    output: OutputOption = Format.TABLE,
) -> None:
    """Read DAG files as a scheduler would, and say what runs, what is accepted with a warning, and what cannot run.

    A verdict is runs, warning, stub (a task will fail, for it needs a package that is not installed here), error (the
    file or a DAG of it cannot run) or none (no DAG). The exit code is 1 where there is a stub or an error.
    """
    from flowd.cli.lint_folder import SEVERAL, lint_folder

    findings = lint_folder(read_settings_without_keys(), path)
    rows = [
        {"file": one.file, "line": one.line or None, "verdict": one.verdict.value, "what": one.what} for one in findings
    ]
    if output is Format.TABLE:
        for row in rows:
            place = f"{row['file']}:{row['line']}" if row["line"] else row["file"]
            print(f"{place}: {row['verdict']}: {row['what']}")
    else:
        show_rows(rows, COLUMNS, output)
    worst = {one.file: one.verdict for one in sorted(findings, key=lambda one: one.verdict.rank)}
    worst.pop(SEVERAL, None)
    counts = Counter(verdict.value for verdict in worst.values())
    note(f"files: {len(worst)}" + "".join(f", {name}: {count}" for name, count in counts.most_common()))
    if any(verdict.is_failure for verdict in worst.values()):
        raise typer.Exit(ExitCode.FAILED)
