"""DAG access: what a request must be permitted with the DAG that it names, and the one check of it.

A DAG in the path is checked by the guard of every route. One in a body, or behind the id of something else, is checked
by the route itself, with the same `check_dag`; a test generates a request for each route and foreign DAG.
"""

from collections.abc import Mapping

from fastapi import Request

from flowd.api.context import ApiContext, context_of
from flowd.api.envelope import REQUEST_ID
from flowd.api.operator import operator_of
from flowd.db.accounts import Account
from flowd.db.actor import Actor
from flowd.db.views.dags import access_of
from flowd.db.views.listing import EVERYTHING
from flowd.domain.dag_access import DELETE, EDIT, EDIT_RUNS, READ, TRIGGER, DagPermission
from flowd.domain.errors import NotFound, Unauthorised
from flowd.security.account_role import AccountRole

_DAG = "/api/v2/dags/{dag_id}"
_RUN = f"{_DAG}/dagRuns/{{dag_run_id}}"

_PERMISSIONS: Mapping[str, DagPermission] = {
    f"POST {_DAG}/dagRuns": TRIGGER,
    "GET /dags/{dag_id}/trigger": TRIGGER,
    "POST /dags/{dag_id}/trigger": TRIGGER,
    f"PATCH {_DAG}/dagRuns": EDIT_RUNS,
    f"POST {_DAG}/clearTaskInstances": EDIT_RUNS,
    f"POST {_DAG}/updateTaskInstancesState": EDIT_RUNS,
    f"POST {_DAG}/clearDagRuns": EDIT_RUNS,
    f"POST {_DAG}/dagRuns/byFilter": EDIT_RUNS,
    f"POST {_DAG}/clearPartitions": EDIT_RUNS,
    f"DELETE {_DAG}": DELETE,
    f"DELETE {_RUN}": DELETE,
    f"DELETE {_RUN}/taskInstances/{{task_id}}": DELETE,
}
_AIRFLOWS = {"dag_run_id": "run_id", "task_try_number": "try_number"}
"""What the audit log calls what paths name."""

_IN_A_RUN = ("{dag_run_id}", "{run_id}")


def needed_permission(method: str, path: str, role: AccountRole) -> DagPermission:
    """Return what a route does with the DAG in its path: what Viewers may do reads, what nobody listed edits."""
    if role is AccountRole.VIEWER:
        return READ
    fallback = EDIT_RUNS if any(part in path for part in _IN_A_RUN) else EDIT
    # What Airflow 2's calls do, ours do under the same path.
    return _PERMISSIONS.get(f"{method} {path.replace('/api/v1/', '/api/v2/', 1)}", fallback)


async def enter(request: Request, account: Account, permission: DagPermission) -> None:
    """Let the request act for this account; raise what `check_dag` raises for the DAG in its path."""
    operator = operator_of(request)
    about = {_AIRFLOWS.get(name, name): value for name, value in request.path_params.items()}
    actor = Actor(
        name=account.username,
        event=operator.event if operator else request.scope["endpoint"].__name__,
        dag_names=account.dag_names,
        request_id=request.scope[REQUEST_ID],
        about=about | ({"api_token": account.api_token} if account.api_token else {}),
    )
    context = context_of(request).acting_for(actor)
    request.state.account, request.state.context = account, context
    dag_id = request.path_params.get("dag_id", EVERYTHING)
    if dag_id != EVERYTHING:
        await check_dag(context, dag_id, permission)


async def check_dag(context: ApiContext, dag_id: str, permission: DagPermission) -> None:
    """Raise NotFound for a DAG that the actor may not see, Unauthorised for one with which they may not do this.

    Whoever is restricted cannot tell a DAG that they may not see from one that is not there.
    """
    actor = context.backends.metastore.actor
    if actor is None or actor.dag_names is None:
        return
    async with context.backends.metastore.reading() as tx:
        access = await access_of(tx, context.cards, dag_id)
    if access is not None and not access.permits(actor.dag_names, permission):
        raise Unauthorised(
            f"{actor.name!r} may not {permission} the DAG {dag_id!r}: its access_control does not permit it"
        )


async def is_permitted(context: ApiContext, dag_id: str, permission: DagPermission) -> bool:
    """Return whether the actor may do this with a DAG."""
    try:
        await check_dag(context, dag_id, permission)
    except (NotFound, Unauthorised):
        return False
    return True
