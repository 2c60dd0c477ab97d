"""Version1Route: the guard of Airflow 2's calls, which also takes a password; and their query parameters."""

from collections.abc import Iterator, Mapping

from fastapi import Request
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

from flowd.api.context import context_of
from flowd.api.guard import ApiRoute
from flowd.api.pagination import read_listing
from flowd.api.visit import visit_of
from flowd.db.accounts import Account
from flowd.db.views.listing import Listing, View
from flowd.domain.errors import Unauthorised

PREFIX = "/api/v1"
_DEFAULT_LIMIT = "100"
_OURS: Mapping[str, str] = {
    "execution_date": "logical_date",
    "paused": "is_paused",
    "conn_id": "connection_id",
    "xcom_key": "key",
}
"""What is called otherwise since Airflow 3, in filters and in orders."""


class Version1Route(ApiRoute):
    """Asks for a user name and a password, or for a bearer token, of the role in the table."""

    async def authenticate(self, request: Request) -> Account:
        """Return who asks; raise HTTPException 401 for nobody and for a wrong password."""
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await super().authenticate(request)
        challenge = {"WWW-Authenticate": 'Basic realm="flowd"'}
        if scheme.lower() != "basic":
            raise HTTPException(401, "Not authenticated", headers=challenge)
        try:
            return await context_of(request).basic.account_of(credentials.strip(), visit_of(request))
        except Unauthorised as error:
            raise HTTPException(401, "Invalid credentials", headers=challenge) from error


def listing(view: View, request: Request) -> Listing:
    """Return what a request asks of `view` under Airflow 2's names; it is given 100 rows unless it says otherwise."""
    return read_listing(view, QueryParams([("limit", _DEFAULT_LIMIT), *_renamed(request.query_params)]))


def _renamed(given: QueryParams) -> Iterator[tuple[str, str]]:
    for name, value in given.multi_items():
        if name == "order_by":
            sign = "-" if value.startswith("-") else ""
            yield name, sign + _OURS.get(value.removeprefix("-"), value.removeprefix("-"))
        else:
            field = next((one for one in _OURS if name == one or name.startswith(f"{one}_")), None)
            yield (name if field is None else _OURS[field] + name.removeprefix(field)), value
