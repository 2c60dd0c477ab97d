"""The frame around the pages of a run: its head and tabs."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from flowd.api.dashboard.pages import render
from flowd.db.views.runs import RunView
from flowd.domain.dag_access import DagAccess

TABS = (("", "Tasks"), ("/graph", "Graph"), ("/gantt", "Gantt"), ("/details", "Details"))


def in_run_frame(
    request: Request, template: str, run: RunView, access: DagAccess | None, *, tab: str, **values: Any
) -> HTMLResponse:
    """Return the page that `template` makes, in the frame of `run`, of a DAG with this access, with this tab chosen."""
    return render(request, template, run=run, access=access, tab=tab, run_tabs=TABS, **values)
