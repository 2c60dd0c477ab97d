"""HttpHook: requests to the service of a connection."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from flowd.sdk.connection import Connection
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.hook import BaseHook

DEFAULT_TIMEOUT_SECONDS = 60.0


class HttpHook(BaseHook):
    """A client of one HTTP service. The connection gives its URL, a login for basic authentication, and in its extra
    headers that every request has; `timeout`, `verify`, `cert`, `allow_redirects`, `proxies` there are the client's.
    """

    conn_name_attr = "http_conn_id"
    default_conn_name = "http_default"

    def __init__(
        self,
        method: str = "POST",
        http_conn_id: str = default_conn_name,
        auth_type: Callable[[str, str], Any] | None = None,
        **_: Any,
    ) -> None:
        super().__init__()
        self.method = method.upper()
        self.http_conn_id = http_conn_id
        self.auth_type = auth_type
        self.base_url = ""

    def run(
        self,
        endpoint: str | None = None,
        data: Any = None,
        headers: Mapping[str, Any] | None = None,
        extra_options: Mapping[str, Any] | None = None,
        **request_kwargs: Any,
    ) -> httpx.Response:
        """Send a request and return the answer; raise AirflowException for status 400 and above, or no answer.

        `data` is the query of a GET or HEAD, else the body: a dict as a form, text as it is. `check_response=False` in
        `extra_options` lets errors pass.
        """
        connection = self.get_connection(self.http_conn_id)
        self.base_url = _base_url(connection)
        extra = dict(connection.extra_dejson)
        options: dict[str, Any] = {
            name: extra.pop(name)
            for name in ("timeout", "verify", "cert", "allow_redirects", "proxies", "check_response", "stream")
            if name in extra
        }
        options |= dict(extra_options or {})
        if data is not None and self.method in ("GET", "HEAD"):
            request_kwargs.setdefault("params", data)
        elif data is not None:
            request_kwargs.setdefault("data" if isinstance(data, Mapping) else "content", data)
        if connection.login:
            login, password = connection.login, connection.password or ""
            request_kwargs.setdefault("auth", self.auth_type(login, password) if self.auth_type else (login, password))
        return self.send(
            self.url_from_endpoint(endpoint),
            headers={**{str(k): str(v) for k, v in extra.items()}, **{k: str(v) for k, v in (headers or {}).items()}},
            timeout=options.get("timeout") or DEFAULT_TIMEOUT_SECONDS,
            verify=options.get("verify", True),
            cert=options.get("cert"),
            proxy=_proxy(options.get("proxies") or options.get("proxy")),
            follow_redirects=options.get("allow_redirects", True),
            is_checked=options.get("check_response", True),
            name=f"connection {self.http_conn_id!r}",
            **request_kwargs,
        )

    def url_from_endpoint(self, endpoint: str | None) -> str:
        """Return the URL of an endpoint below the connection's."""
        if not endpoint:
            return self.base_url
        return endpoint if "://" in endpoint else f"{self.base_url.rstrip('/')}/{endpoint.lstrip('/')}"

    def send(
        self,
        url: str,
        *,
        name: str,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        verify: Any = True,
        cert: Any = None,
        proxy: str | None = None,
        follow_redirects: bool = True,
        is_checked: bool = True,
        **request: Any,
    ) -> httpx.Response:
        """Send a request to a URL, which may be a secret: errors show `name` in its place."""
        try:
            with httpx.Client(
                timeout=timeout, verify=verify, cert=cert, proxy=proxy, follow_redirects=follow_redirects
            ) as client:
                response = client.request(self.method, url, **request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AirflowException(f"{self.method} over {name} failed: {type(error).__name__}: {error}") from error
        # The answers of the library that Airflow uses have it, and response checks ask for it.
        response.ok = response.is_success  # type: ignore[attr-defined]
        if is_checked and response.status_code >= 400:
            raise AirflowException(
                f"{self.method} over {name} was answered {response.status_code} {response.reason_phrase}: "
                f"{response.text[:500]}"
            )
        return response

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the service answers, and what it said."""
        try:
            self.run()
        except AirflowException as error:
            return False, str(error)
        return True, "the service answered"


def _base_url(connection: Connection) -> str:
    host = connection.host or ""
    if "://" in host:
        base = host
    else:
        scheme = connection.schema or (connection.conn_type if connection.conn_type in ("http", "https") else "http")
        base = f"{scheme}://{host}"
    return f"{base}:{connection.port}" if connection.port else base


def _proxy(given: Any) -> str | None:
    if isinstance(given, Mapping):
        return next((given[name] for name in ("https", "http", "all") if given.get(name)), None)
    return given or None
