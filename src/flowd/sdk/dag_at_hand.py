"""DagAtHand: what can be done with a DAG in the process that defines it: `dag.test()` and `dag.cli()`."""

import importlib
import warnings
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.sdk.arguments import as_aware
from flowd.sdk.exceptions import DagWarning


class DagAtHand:
    """The part of a DAG that runs it. The floors above do the work, and are imported when it is asked for."""

    dag_id: str
    timezone: tzinfo

    def test(
        self,
        logical_date: datetime | str | None = None,
        run_conf: Mapping[str, Any] | None = None,
        conn_file_path: str | None = None,
        variable_file_path: str | None = None,
        use_executor: bool = False,
        mark_success_pattern: Any = None,
        *,
        execution_date: datetime | str | None = None,
        run_after: datetime | str | None = None,
        session: Any = None,
    ) -> Any:
        """Run the DAG once in this process, task by task, and return the ended run: `.state`, `.get_task_instances()`.

        A debugger works in tasks. Nothing is written to the metastore that is configured; its variables and connections
        are there to be read. Raises InvalidDag where the DAG could not be run by a scheduler either.
        """
        where = f"DAG {self.dag_id!r}: test()"
        if use_executor:
            warnings.warn(f"{where}: use_executor has no effect; tasks run in this process", DagWarning, stacklevel=2)
        if logical_date is not None and execution_date is not None:
            raise InvalidDag(f"{where}: logical_date and execution_date say the same thing; keep logical_date")
        date = as_aware(logical_date or execution_date or run_after, self.timezone, f"{where}: logical_date")
        return importlib.import_module("flowd.local_run").run_dag(
            self,
            logical_date=date,
            conf=run_conf,
            connections_file=conn_file_path,
            variables_file=variable_file_path,
            # Airflow takes the text of a pattern, or a compiled one.
            mark_success_pattern=getattr(mark_success_pattern, "pattern", mark_success_pattern),
        )

    def cli(self) -> None:
        """Take the command line of this process as one for this DAG: `python my_dag.py test`; see `--help`."""
        importlib.import_module("flowd.cli.dag_script").main(self)
