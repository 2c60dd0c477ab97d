"""A run of one DAG in this very process, with a ledger of its own that is thrown away at the end."""

from flowd.local_run.run_dag import run_dag as run_dag
from flowd.local_run.run_dag import run_task as run_task
