"""Failures: what a server's refusal, or its silence, means to whoever typed the command, and what they can do."""

from typing import Any

import httpx

from flowd.cli.client.target import URL_VARIABLE, Server
from flowd.domain.errors import Conflict, FlowdError, InvalidInput, NotFound, Unauthorised, Unavailable

BAD_CREDENTIALS = "Invalid credentials"
_BY_STATUS: dict[int, type[FlowdError]] = {
    400: InvalidInput,
    404: NotFound,
    405: InvalidInput,
    409: Conflict,
    413: InvalidInput,
    422: InvalidInput,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
_LISTS = {
    "The DagRun": "`flowd runs list DAG_ID` shows all",
    "The Dag ": "`flowd dags list` shows all",
    "The Variable": "`flowd variables list` shows all",
    "The Connection": "`flowd connections list` shows all",
    "The Pool": "`flowd pools list` shows all",
    "The Asset": "`flowd assets list` shows all",
    "The Bundle": "`flowd bundles list` shows all",
    "The Task Instance": "`flowd tasks list DAG_ID RUN_ID` shows all",
    "Backfill": "`flowd backfill list` shows all",
}
"""What a message about something that is not there begins with, and the command that shows what is."""


def refusal(answer: httpx.Response, server: Server | None) -> FlowdError:
    """Return the error for an answer that is no success; its body has been read."""
    text = _text_of(answer)
    match answer.status_code:
        case 401 if text == BAD_CREDENTIALS:
            return Unauthorised(f"{text}: {server.url if server else 'flowd'} knows no such user with this password")
        case 401:
            return Unauthorised(_not_logged_in(server))
        case 403:
            return Unauthorised(text + _what_lets_in(text, server))
        case 404 if text == "Not Found":
            where = server.url if server else "this flowd"
            return NotFound(
                f"{where} knows no {answer.request.url.path}; is it the address of a flowd of this version?"
            )
        case 404:
            hint = next((hint for start, hint in _LISTS.items() if text.startswith(start)), None)
            return NotFound(f"{text}; {hint}" if hint else text)
        case status if status in _BY_STATUS:
            return _BY_STATUS[status](text)
        case status:
            return FlowdError(f"{server.url if server else 'flowd'} answered {status}: {text}")


def silence(error: httpx.TransportError, server: Server) -> Unavailable:
    """Return the error for a server that did not answer."""
    reason = str(error) or type(error).__name__
    return Unavailable(
        f"{server.url} does not answer: {reason}; is a node with the api role running there?"
        f" The address is that of --api, {URL_VARIABLE} or `flowd login`"
    )


def _not_logged_in(server: Server | None) -> str:
    url = server.url if server else "URL"
    if server and server.token:
        return f"{url} does not know the token it was shown; log in again with: flowd login {url}"
    return f"{url} wants a login: `flowd login {url}`, or a token of `flowd tokens create` in FLOWD_API_TOKEN"


def _what_lets_in(text: str, server: Server | None) -> str:
    if text.startswith("Forbidden"):
        return "; an Admin gives roles with: flowd users set-role"
    if "token" in text or "user" in text:
        return f"; log in with: flowd login {server.url if server else 'URL'}"
    return ""


def _text_of(answer: httpx.Response) -> str:
    """The message of an answer, whichever of the API's shapes it has."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.text.strip()[:500] or answer.reason_phrase
    match detail:
        case str():
            return detail
        case {"message": str(message)}:
            return message
        case [*problems]:
            return "; ".join(_problem(one) for one in problems)
        case _:
            return str(detail)


def _problem(found: Any) -> str:
    match found:
        case {"loc": [*where], "msg": str(message)}:
            return f"{'.'.join(str(part) for part in where[1:]) or where[0]}: {message}"
        case _:
            return str(found)
