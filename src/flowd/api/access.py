"""Access: which role each route asks for. One table, read by the guard of every route; what is not in it is refused."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from flowd.api.context import ApiContext, context_of
from flowd.api.storable import check_url
from flowd.db.accounts import Account
from flowd.domain.errors import NotFound, Unauthorised
from flowd.security.account_role import AccountRole

VIEWER, USER, OP, ADMIN = AccountRole.VIEWER, AccountRole.USER, AccountRole.OP, AccountRole.ADMIN
PUBLIC = None

_DAG = "/api/v2/dags/{dag_id}"
_RUN = f"{_DAG}/dagRuns/{{dag_run_id}}"
_TASK = f"{_RUN}/taskInstances/{{task_id}}"
_MAPPED = f"{_TASK}/{{map_index}}"

ACCESS: Mapping[str, AccountRole | None] = {
    "GET /livez": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /metrics": PUBLIC,
    "POST /auth/token": PUBLIC,
    "GET /api/v2/version": PUBLIC,
    "GET /api/v2/monitor/health": PUBLIC,
    "GET /api/v2/auth/login": PUBLIC,
    "GET /api/v2/auth/logout": PUBLIC,
    "GET /api/v2/dags": VIEWER,
    "PATCH /api/v2/dags": USER,
    "GET /api/v2/dagTags": VIEWER,
    "GET /api/v2/dagStats": VIEWER,
    "GET /api/v2/dagSources/{dag_id}": VIEWER,
    "GET /api/v2/eventLogs": VIEWER,
    "GET /api/v2/importErrors": VIEWER,
    "GET /api/v2/importErrors/{import_error_id}": VIEWER,
    f"GET {_DAG}": VIEWER,
    f"PATCH {_DAG}": USER,
    f"GET {_DAG}/details": VIEWER,
    f"GET {_DAG}/tasks": VIEWER,
    f"GET {_DAG}/tasks/{{task_id}}": VIEWER,
    f"GET {_DAG}/dagVersions": VIEWER,
    f"GET {_DAG}/dagVersions/{{version_number}}": VIEWER,
    f"GET {_DAG}/dagRuns": VIEWER,
    f"POST {_DAG}/dagRuns": USER,
    f"POST {_DAG}/dagRuns/list": VIEWER,
    f"POST {_DAG}/clearTaskInstances": USER,
    f"GET {_RUN}": VIEWER,
    f"PATCH {_RUN}": USER,
    f"POST {_RUN}/clear": USER,
    f"GET {_RUN}/wait": VIEWER,
    f"GET {_RUN}/taskInstances": VIEWER,
    f"GET {_RUN}/hitlDetails": VIEWER,
    f"POST {_RUN}/taskInstances/list": VIEWER,
    f"GET {_TASK}": VIEWER,
    f"PATCH {_TASK}": USER,
    f"PATCH {_TASK}/dry_run": USER,
    f"GET {_TASK}/listMapped": VIEWER,
    f"GET {_TASK}/dependencies": VIEWER,
    f"GET {_TASK}/why": VIEWER,
    f"GET {_TASK}/tries": VIEWER,
    f"GET {_TASK}/tries/{{task_try_number}}": VIEWER,
    f"GET {_TASK}/logs/{{try_number}}": VIEWER,
    f"GET {_TASK}/xcomEntries": VIEWER,
    f"GET {_TASK}/xcomEntries/{{xcom_key:path}}": VIEWER,
    f"GET {_MAPPED}": VIEWER,
    f"PATCH {_MAPPED}": USER,
    f"PATCH {_MAPPED}/dry_run": USER,
    f"GET {_MAPPED}/dependencies": VIEWER,
    f"GET {_MAPPED}/tries": VIEWER,
    f"GET {_MAPPED}/tries/{{task_try_number}}": VIEWER,
    f"GET {_MAPPED}/hitlDetails": VIEWER,
    f"PATCH {_MAPPED}/hitlDetails": USER,
    f"GET {_MAPPED}/hitlDetails/tries/{{try_number}}": VIEWER,
    "GET /api/v2/pools": VIEWER,
    "POST /api/v2/pools": OP,
    "GET /api/v2/pools/{pool_name:path}": VIEWER,
    "PATCH /api/v2/pools/{pool_name:path}": OP,
    "DELETE /api/v2/pools/{pool_name:path}": OP,
    "GET /api/v2/variables": OP,
    "POST /api/v2/variables": OP,
    "GET /api/v2/variables/{variable_key:path}": OP,
    "PATCH /api/v2/variables/{variable_key:path}": OP,
    "DELETE /api/v2/variables/{variable_key:path}": OP,
    "GET /api/v2/connections": OP,
    "POST /api/v2/connections": OP,
    "GET /api/v2/connections/{connection_id}": OP,
    "PATCH /api/v2/connections/{connection_id}": OP,
    "DELETE /api/v2/connections/{connection_id}": OP,
    "GET /login": PUBLIC,
    "POST /login": PUBLIC,
    "POST /logout": PUBLIC,
    "GET /": VIEWER,
    "GET /dags": VIEWER,
    "GET /dags/{dag_id}": VIEWER,
    "POST /dags/{dag_id}/pause": USER,
    "POST /dags/{dag_id}/trigger": USER,
    "GET /dags/{dag_id}/runs/{run_id}": VIEWER,
    "POST /dags/{dag_id}/runs/{run_id}/clear": USER,
    "GET /dags/{dag_id}/runs/{run_id}/tasks/{task_id}": VIEWER,
    "GET /dags/{dag_id}/runs/{run_id}/tasks/{task_id}/mapped/{map_index}": VIEWER,
    "POST /dags/{dag_id}/runs/{run_id}/tasks/{task_id}/answer": USER,
    "POST /dags/{dag_id}/runs/{run_id}/tasks/{task_id}/mapped/{map_index}/answer": USER,
}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def required_role(method: str, path: str) -> AccountRole | None:
    """Return the role that a route asks for, PUBLIC for none; a route that nobody listed is the Admin's alone."""
    return ACCESS.get(f"{method} {path}", ADMIN)


class ApiRoute(APIRoute):
    """A route of the API: asks for a bearer token of the role in the table, before it reads anything else."""

    def get_route_handler(self) -> Handler:
        """Return the route's handler behind its guard."""
        handler, path = super().get_route_handler(), self.path

        async def guarded(request: Request) -> Response:
            check_url(request)
            if (role := required_role(request.method, path)) is not PUBLIC:
                request.state.account = allowed(await _by_token(context_of(request), request), role)
            return await handler(request)

        return guarded


def allowed(account: Account, role: AccountRole) -> Account:
    """Return the account; raise HTTPException 403 where it has not got this role."""
    if not account.role.includes(role):
        raise HTTPException(403, f"Forbidden: {account.username!r} is {account.role}, and this asks for {role}")
    return account


async def active_account(context: ApiContext, username: str) -> Account:
    """Return the account that a token or session speaks for; raise Unauthorised where it is gone or closed.

    Read every time: who is removed is out at once, whatever they still hold.
    """
    try:
        account = await context.accounts.get(username)
    except NotFound as error:
        raise Unauthorised(f"the user {username!r} is no more") from error
    if not account.is_active:
        raise Unauthorised(f"the user {username!r} is not active")
    return account


async def _by_token(context: ApiContext, request: Request) -> Account:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise HTTPException(401, "Not authenticated", headers={"WWW-Authenticate": "Bearer"})
    identity = context.tokens.verify(token.strip(), context.backends.clock.now())
    return await active_account(context, identity.username)
