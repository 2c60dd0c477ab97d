"""Completion of names by the shell, as far as a server can be asked fast enough."""

from flowd.cli.client.current import api
from flowd.cli.client.target import chosen_server
from flowd.domain.errors import FlowdError

MOST = 50


def complete_dag(incomplete: str) -> list[str]:
    """Return DAGs whose name begins so: none where no server is asked, for loading one here takes a second."""
    try:
        if chosen_server() is None:
            return []
        query = {"dag_id_prefix_pattern": incomplete} if incomplete else {}
        return [dag["dag_id"] for dag in api().listed("GET /api/v2/dags", "dags", limit=MOST, query=query)]
    except FlowdError:
        # Whoever presses Tab wants no message in the middle of the line.
        return []
