"""The frame around the pages of a DAG: its head and tabs."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from flowd.api.dashboard.pages import render
from flowd.db.views.dags import DagView

TABS = (
    ("", "Grid"),
    ("/graph", "Graph"),
    ("/gantt", "Gantt"),
    ("/runs", "Runs"),
    ("/calendar", "Calendar"),
    ("/duration", "Duration"),
    ("/backfills", "Backfills"),
    ("/events", "Events"),
    ("/code", "Code"),
    ("/details", "Details"),
)


def in_dag_frame(
    request: Request, template: str, dag: DagView, *, tab: str, status: int = 200, **values: Any
) -> HTMLResponse:
    """Return the page that `template` makes, in the frame of `dag` with this tab chosen."""
    return render(request, template, status=status, dag=dag, tab=tab, dag_tabs=TABS, **values)
