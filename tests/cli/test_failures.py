"""What a server's refusal or silence means: an exit code for scripts, and for people what to do."""

from typing import Any

import httpx
import pytest

from flowd.cli.client.failures import refusal
from flowd.cli.client.target import Server
from flowd.cli.exit_codes import exit_code_of
from tests.cli.conftest import Flowd

URL = "https://flowd.example.com"


def answer(status: int, **body: Any) -> httpx.Response:
    return httpx.Response(status, json=body, request=httpx.Request("GET", f"{URL}/api/v2/dags"))


@pytest.mark.parametrize(
    ("status", "detail", "code", "told"),
    [
        (400, "no such field", 2, "no such field"),
        (401, "Not authenticated", 4, f"{URL} wants a login: `flowd login {URL}`, or a token"),
        (401, "Invalid credentials", 4, f"Invalid credentials: {URL} knows no such user with this password"),
        (403, "the access token expired at 12", 4, f"expired at 12; log in with: flowd login {URL}"),
        (403, "Forbidden: 'ada' is User, and this asks for Op", 4, "an Admin gives roles with: flowd users set-role"),
        (404, "The Dag with ID: `x` was not found", 3, "was not found; `flowd dags list` shows all"),
        (404, "Not Found", 3, f"{URL} knows no /api/v2/dags; is it the address of a flowd of this version?"),
        (409, {"reason": "Unique constraint violation", "message": "it exists"}, 1, "it exists"),
        (422, [{"loc": ["body", "slots"], "msg": "too many", "type": "x"}], 2, "slots: too many"),
        (429, "too many failed logins", 5, "too many failed logins"),
        (503, "the metastore is away", 5, "the metastore is away"),
        (500, "flowd failed to answer", 1, f"{URL} answered 500: flowd failed to answer"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, detail: Any, code: int, told: str) -> None:
    error = refusal(answer(status, detail=detail), Server(URL, None))

    assert (exit_code_of(error), told in str(error)) == (code, True), error


def test_a_token_that_nobody_knows_is_not_the_same_as_none() -> None:
    assert "does not know the token" in str(refusal(answer(401, detail="x"), Server(URL, "flowd_x")))


def test_what_is_no_api_is_told_as_it_is() -> None:
    page = httpx.Response(502, text="<html>Bad gateway", request=httpx.Request("GET", URL))

    assert str(refusal(page, Server(URL, None))) == "<html>Bad gateway"


def test_a_server_that_is_away_is_unreachable(flowd: Flowd) -> None:
    outcome = flowd("dags", "list", "--api", "http://127.0.0.1:1")

    assert (outcome.code, outcome.out) == (5, "")
    assert "http://127.0.0.1:1 does not answer: " in outcome.err
    assert "is a node with the api role running there?" in outcome.err


@pytest.mark.parametrize(
    "url", ["flowd.example.com", "ftp://x", "http://", "https://x:port", "https://x?y", "https://ada:pw@x"]
)
def test_what_is_no_address_is_a_matter_of_usage(flowd: Flowd, url: str) -> None:
    outcome = flowd("--api", url, "dags", "list")

    assert outcome.code == 2 and "address" in outcome.err
    assert "pw" not in outcome.err


def test_an_api_option_without_an_address_is_a_matter_of_usage(flowd: Flowd) -> None:
    assert flowd("dags", "list", "--api").code == 2


@pytest.mark.parametrize("line", ["db migrate", "variables export", "connections rotate", "connections get x --reveal"])
def test_what_no_api_does_is_not_done_elsewhere_than_it_was_asked_for(flowd: Flowd, line: str) -> None:
    outcome = flowd(*line.split(), f"--api={URL}")

    assert (outcome.code, outcome.out) == (2, "")
    assert "settings are" in outcome.err
