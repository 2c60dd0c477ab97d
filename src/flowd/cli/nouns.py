"""The table of commands: a new noun is an entry here and a module with a typer `app`."""

from flowd.cli.lazy import Noun

NOUNS = {
    "run": Noun("flowd.cli.run:app", "Run a node: api, scheduler and worker, or some of them."),
    "dags": Noun("flowd.cli.dags:app", "DAGs: list, trigger, pause, test."),
    "lint": Noun("flowd.cli.lint:app", "What of a DAG folder runs, what with a warning, and what cannot run."),
    "runs": Noun("flowd.cli.runs:app", "Runs of DAGs: list, watch, clear, mark, cancel."),
    "tasks": Noun("flowd.cli.tasks:app", "Tasks of a run: list, logs, clear, mark, why."),
    "workers": Noun("flowd.cli.workers:app", "Nodes that run tasks: list them, change how many tasks they run."),
    "db": Noun("flowd.cli.db:app", "Set up and look after the metastore."),
    "users": Noun("flowd.cli.users:app", "People who may log in."),
    "pools": Noun("flowd.cli.pools:app", "Slots that tasks share."),
    "variables": Noun("flowd.cli.variables:app", "Values that tasks look up by name."),
    "connections": Noun("flowd.cli.connections:app", "Addresses and credentials that tasks look up by name."),
    "config": Noun("flowd.cli.config:app", "What this node is told, and from where."),
    "health": Noun("flowd.cli.health:app", "Whether the metastore, the queue and the node answer."),
    "version": Noun("flowd.cli.version:app", "Which flowd this is."),
    # Airflow's words.
    "standalone": Noun("flowd.cli.run:app", "As `flowd run`.", is_hidden=True),
    "scheduler": Noun("flowd.cli.run:scheduler", "As `flowd run --roles scheduler`.", is_hidden=True),
    "worker": Noun("flowd.cli.run:worker", "As `flowd run --roles worker`.", is_hidden=True),
    "webserver": Noun("flowd.cli.run:api_server", "As `flowd run --roles api`.", is_hidden=True),
    "api-server": Noun("flowd.cli.run:api_server", "As `flowd run --roles api`.", is_hidden=True),
}
