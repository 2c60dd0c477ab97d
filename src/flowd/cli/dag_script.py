"""`python my_dag.py …` of a file that ends in `dag.cli()`: the commands for its own DAG."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flowd.cli.lazy import new_app
from flowd.cli.options import ConfOption, OutputOption, TestedDateArgument, conf_object
from flowd.cli.output import Format, show_rows

if TYPE_CHECKING:
    from flowd.sdk.dag import DAG


def main(dag: "DAG") -> None:
    """Run the command line of this process and exit."""
    from flowd.cli.main import run_app

    run_app(_app(dag), None, os.path.basename(sys.argv[0]))


def _app(dag: "DAG") -> typer.Typer:
    app = new_app(f"DAG {dag.dag_id}. What concerns its runs on a server is in `flowd dags` and `flowd tasks`.")

    @app.command()
    def test(
        logical_date: TestedDateArgument = None,
        conf: ConfOption = None,
        task: Annotated[str | None, typer.Option("--task", help="Only this task, whatever it waits for.")] = None,
        output: OutputOption = Format.TABLE,
    ) -> None:
        """Run the DAG once in this process, and show how its tasks ended."""
        from flowd.cli.dag_test import date_of, show_run

        show_run(dag, date_of(logical_date), conf_object(conf), output=output, task_id=task)

    @app.command("list-tasks")
    def list_tasks(output: OutputOption = Format.TABLE) -> None:
        """Show the tasks of the DAG and what each waits for."""
        rows = [
            {"task_id": one.task_id, "operator": one.operator_name, "upstream": sorted(one.upstream_task_ids)}
            for one in dag.tasks
        ]
        show_rows(rows, ("task_id", "operator", "upstream"), output, empty="The DAG has no tasks.")

    return app
