"""Where commands go, and by what token they are let in."""

import json
import stat
from pathlib import Path

import pytest

from flowd.cli.client import logins
from flowd.cli.client.target import CHOSEN, Server, chosen_server, server_url
from flowd.domain.errors import InvalidInput

URL = "https://flowd.example.com"


@pytest.fixture(autouse=True)
def _nothing_chosen(home: Path) -> None:
    CHOSEN.set(None)


def test_without_a_word_it_is_this_machine() -> None:
    assert chosen_server() is None


def test_the_option_counts_before_the_variable_before_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    logins.keep(URL, "secret")
    assert chosen_server() == Server(URL, "secret")

    monkeypatch.setenv("FLOWD_API_URL", "http://other/")
    assert chosen_server() == Server("http://other", None)

    CHOSEN.set(f"{URL}/")
    assert chosen_server() == Server(URL, "secret")

    CHOSEN.set("local")
    assert chosen_server() is None


def test_the_token_of_the_environment_counts_before_that_of_the_login(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    logins.keep(URL, "kept")
    (tmp_path / "token").write_text("from a file\n")

    monkeypatch.setenv("FLOWD_API_TOKEN_FILE", str(tmp_path / "token"))
    assert chosen_server() == Server(URL, "from a file")

    monkeypatch.setenv("FLOWD_API_TOKEN", "given")
    with pytest.raises(InvalidInput, match="both set"):
        chosen_server()
    monkeypatch.delenv("FLOWD_API_TOKEN_FILE")
    assert chosen_server() == Server(URL, "given")


def test_a_token_goes_to_its_own_server_alone() -> None:
    logins.keep(URL, "secret")
    logins.keep("http://other", "theirs")

    assert (logins.current(), logins.token_of(URL)) == ("http://other", "secret")
    assert logins.token_of(f"{URL}.evil.com") is None
    assert logins.forget("http://other") and not logins.forget("http://other")
    assert logins.current() is None
    assert "secret" not in repr(Server(URL, "secret"))


def test_logins_are_their_owners_alone(home: Path) -> None:
    logins.keep(URL, "secret")

    file = home / "logins.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text()) == {"current": URL, "tokens": {URL: "secret"}}
    assert [one.name for one in home.iterdir()] == ["logins.json"]


def test_a_damaged_file_of_logins_says_what_to_do(home: Path) -> None:
    home.mkdir()
    (home / "logins.json").write_text("{")

    with pytest.raises(InvalidInput, match="remove it and log in again with: flowd login URL"):
        chosen_server()


def test_an_address_is_kept_without_its_last_slash() -> None:
    assert server_url("https://flowd.example.com:8443/base/") == "https://flowd.example.com:8443/base"
