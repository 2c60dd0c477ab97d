"""HttpOperator and HttpSensor: a request to the service of a connection, once or until its answer is right."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from flowd.operators.call_arguments import arguments_for
from flowd.operators.services.http_hook import HttpHook
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.base_sensor import BaseSensorOperator, PokeReturnValue
from flowd.sdk.context import Context
from flowd.sdk.exceptions import AirflowException

Check = Callable[..., Any]


class HttpOperator(BaseOperator):
    """Call `endpoint` of connection `http_conn_id`; the XCom is its answer, or what `response_filter` makes of it.

    `response_check` must return something true. Both may take values of the context beside the response.
    `pagination_function` returns the changes that ask for the next page, or None after the last.
    """

    template_fields: Sequence[str] = ("endpoint", "data", "headers", "http_conn_id")
    template_ext: Sequence[str] = ()
    template_fields_renderers = {"headers": "json", "data": "py"}  # noqa: RUF012
    ui_color = "#f4a460"

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        method: str = "POST",
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        pagination_function: Callable[..., Mapping[str, Any] | None] | None = None,
        response_check: Check | None = None,
        response_filter: Check | None = None,
        extra_options: Mapping[str, Any] | None = None,
        request_kwargs: Mapping[str, Any] | None = None,
        http_conn_id: str = "http_default",
        log_response: bool = False,
        auth_type: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint, self.method, self.data = endpoint, method, data
        self.headers = dict(headers or {})
        self.pagination_function = pagination_function
        self.response_check, self.response_filter = response_check, response_filter
        self.extra_options, self.request_kwargs = dict(extra_options or {}), dict(request_kwargs or {})
        self.http_conn_id, self.log_response, self.auth_type = http_conn_id, log_response, auth_type

    def execute(self, context: Context) -> Any:
        """Send the request, or one for each page; raise AirflowException where an answer is not right."""
        asked: dict[str, Any] = {"endpoint": self.endpoint, "data": self.data, "headers": self.headers}
        answers = [self._ask(asked, context)]
        while self.pagination_function is not None:
            changes = self.pagination_function(answers[-1])
            if not changes:
                break
            asked = {
                "endpoint": changes.get("endpoint", self.endpoint),
                "data": _merged(self.data, changes.get("data")),
                "headers": {**self.headers, **changes.get("headers", {})},
                "extra_options": {**self.extra_options, **changes.get("extra_options", {})},
            }
            answers.append(self._ask(asked, context))
        given = answers if self.pagination_function is not None else answers[0]
        if self.response_filter is not None:
            return called_with(self.response_filter, given, context)
        return [one.text for one in answers] if self.pagination_function is not None else answers[0].text

    def _ask(self, asked: Mapping[str, Any], context: Context) -> httpx.Response:
        hook = HttpHook(self.method, self.http_conn_id, auth_type=self.auth_type)
        response = hook.run(**{"extra_options": self.extra_options, **asked}, **self.request_kwargs)
        if self.log_response:
            self.log.info("%s", response.text)
        if self.response_check is not None and not called_with(self.response_check, response, context):
            raise AirflowException(f"task {self.task_id!r}: response_check refused the answer: {response.text[:500]}")
        return response


class HttpSensor(BaseSensorOperator):
    """Wait until `endpoint` answers without an error and `response_check` returns something true.

    A status of `response_error_codes_allowlist`, 404 by default, means: not yet; any other error fails the poke.
    """

    template_fields: Sequence[str] = ("endpoint", "request_params", "headers")

    def __init__(
        self,
        *,
        endpoint: str,
        http_conn_id: str = "http_default",
        method: str = "GET",
        request_params: Any = None,
        request_kwargs: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        response_error_codes_allowlist: Sequence[str] | None = None,
        response_check: Check | None = None,
        extra_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint, self.http_conn_id, self.method = endpoint, http_conn_id, method
        self.request_params, self.request_kwargs = request_params or {}, dict(request_kwargs or {})
        self.headers = dict(headers or {})
        allowed = ("404",) if response_error_codes_allowlist is None else response_error_codes_allowlist
        self.response_error_codes_allowlist = tuple(str(code) for code in allowed)
        self.response_check, self.extra_options = response_check, dict(extra_options or {})

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Ask once."""
        hook = HttpHook(self.method, self.http_conn_id)
        options = {**self.extra_options, "check_response": False}
        response = hook.run(self.endpoint, self.request_params or None, self.headers, options, **self.request_kwargs)
        if response.status_code >= 400:
            if str(response.status_code) in self.response_error_codes_allowlist:
                return False
            raise AirflowException(f"task {self.task_id!r} was answered {response.status_code}: {response.text[:500]}")
        if self.response_check is None:
            return True
        found = called_with(self.response_check, response, context)
        return found if isinstance(found, PokeReturnValue) else bool(found)


def called_with(function: Check, given: Any, context: Context) -> Any:
    """Call a function with the answer and, of the context, what its further parameters name."""
    return function(given, **arguments_for(function, [given], context))


def _merged(first: Any, second: Any) -> Any:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return {**first, **second}
    return first if second is None else second
