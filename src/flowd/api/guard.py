"""The guard of every route of the API: who asks, and may they, before anything of the request is read."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from flowd.api.access import PUBLIC, required_role
from flowd.api.context import ApiContext, context_of
from flowd.api.dag_access import enter, needed_permission
from flowd.api.operator import operator_of
from flowd.api.storable import check_url
from flowd.api.visit import visit_of
from flowd.db.accounts import Account
from flowd.db.api_tokens import PREFIX
from flowd.domain.dag_access import DagAccess
from flowd.domain.errors import NotFound, Unauthorised
from flowd.security.account_role import AccountRole

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def may(account: Account | None, route: str, access: DagAccess | None = None) -> bool:
    """Return whether the guard of `route`, as it is in the table, lets in this account, to a DAG of this access."""
    method, _, path = route.partition(" ")
    role = required_role(method, path)
    if role is PUBLIC:
        return True
    if account is None or not account.role.includes(role):
        return False
    names = account.dag_names
    return access is None or names is None or access.permits(names, needed_permission(method, path, role))


class ApiRoute(APIRoute):
    """A route of the API: asks for a bearer token of the role in the table, before it reads anything else."""

    async def authenticate(self, request: Request) -> Account:
        """Return who asks by a bearer token; raise HTTPException 401 without one, Unauthorised for a bad one."""
        return await _caller(request)

    def get_route_handler(self) -> Handler:
        """Return the route's handler behind its guard."""
        handler, path = super().get_route_handler(), self.path

        async def guarded(request: Request) -> Response:
            check_url(request)
            if (role := required_role(request.method, path)) is not PUBLIC:
                account = allowed(await self.authenticate(request), role)
                await enter(request, account, needed_permission(request.method, path, role))
            return await handler(request)

        return guarded


def allowed(account: Account, role: AccountRole) -> Account:
    """Return the account; raise HTTPException 403 where it has not got this role."""
    if not account.role.includes(role):
        raise HTTPException(403, f"Forbidden: {account.username!r} is {account.role}, and this asks for {role}")
    return account


async def _active_account(context: ApiContext, username: str) -> Account:
    """Return the account that an access token speaks for; raise Unauthorised where it is gone or closed.

    Read every time: who is removed is out at once, whatever they still hold.
    """
    try:
        account = await context.accounts.get(username)
    except NotFound as error:
        raise Unauthorised(f"the user {username!r} is no more") from error
    if not account.is_active:
        raise Unauthorised(f"the user {username!r} is not active")
    return account


async def _caller(request: Request) -> Account:
    operator = operator_of(request)
    return operator.account if operator else await _by_token(context_of(request), request)


async def _by_token(context: ApiContext, request: Request) -> Account:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise HTTPException(401, "Not authenticated", headers={"WWW-Authenticate": "Bearer"})
    if token.startswith(PREFIX):
        visit = visit_of(request)
        return await context.api_tokens.account_of(token.strip(), address=visit.address, request_id=visit.request_id)
    identity = context.tokens.verify(token.strip(), context.backends.clock.now())
    account = await _active_account(context, identity.username)
    if identity.generation != account.generation:
        raise Unauthorised("the access token was revoked; log in again")
    return account
