"""Browsers of the dashboard's tests: somebody of a role, who looks at pages and sends their forms."""

from typing import Any

import httpx

from flowd.api.dashboard.guard import COOKIE
from flowd.security.account_role import AccountRole
from tests.api.cluster import Cluster
from tests.api.test_dashboard import problems_of


class Browser:
    """A browser in which the cluster's account of a role is logged in."""

    def __init__(self, cluster: Cluster, cookie: str, csrf: str) -> None:
        self._client = cluster.anonymous
        self._csrf = csrf
        self.cookies = {COOKIE: cookie}

    async def get(self, path: str, status: int = 200, **params: Any) -> str:
        """Return the page, whose HTML is sound."""
        answer = await self._client.get(path, params=params or None, headers=self._headers())
        assert answer.status_code == status, answer.text
        assert problems_of(answer.text) == [], answer.text
        return answer.text

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form."""
        return await self._client.post(path, data={"csrf": self._csrf, **fields}, headers=self._headers())

    async def do(self, path: str, **fields: Any) -> str:
        """Send a form that leads on, and return where to."""
        answer = await self.post(path, **fields)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    async def fail(self, path: str, status: int, **fields: Any) -> str:
        """Send a form that is refused, and return the page that says so, whose HTML is sound."""
        answer = await self.post(path, **fields)
        assert answer.status_code == status, answer.text
        assert problems_of(answer.text) == [], answer.text
        return answer.text

    def _headers(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}


async def browser_of(cluster: Cluster, role: AccountRole) -> Browser:
    """Return a browser in which the cluster's account of this role is logged in."""
    return await browser_as(cluster, role.value.lower())


async def browser_as(cluster: Cluster, username: str) -> Browser:
    """Return a browser in which this user is logged in."""
    sessions = cluster.app.state.context.sessions
    cookie = await sessions.begin(username)
    return Browser(cluster, cookie, (await sessions.find(cookie)).csrf_token)
