"""Users, pools, variables, connections, config and health from the command line."""

import getpass
import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Flowd
from tests.support.http_service import an_http_service


def test_users_come_and_go(flowd: Flowd) -> None:
    assert flowd("users", "list").err == "No users yet: `flowd users create` makes one.\n"
    made = flowd(
        "users",
        "create",
        "ada",
        "--role",
        "op",
        "--group",
        "hr",
        "--password-stdin",
        "-o",
        "json",
        stdin="correct horse\n",
    )
    assert (
        flowd("users", "create", "-u", "bob", "-r", "Admin", "-p", "pw", "-f", "Bob", "-l", "B", "-e", "b@x").code == 0
    )
    last = flowd("users", "set-role", "bob", "viewer")
    assert (last.code, last.err) == (1, "flowd: user 'bob' is the last Admin; make another one first\n")
    assert flowd("users", "create", "root", "--role", "admin", "--no-password").code == 0
    assert flowd("users", "set-role", "bob", "viewer").code == 0
    assert flowd("users", "reset-password", "bob", "--password", "new").code == 0

    assert json.loads(made.out)["role"] == "Op" and "horse" not in made.out + made.err
    assert flowd("users", "set-groups", "bob", "sales", "finance").err == "User bob is in finance, sales now.\n"
    rows = json.loads(flowd("users", "list", "-o", "json").out)
    found = [(row["username"], row["role"], row["groups"]) for row in rows]
    assert found == [("ada", "Op", ["hr"]), ("bob", "Viewer", ["finance", "sales"]), ("root", "Admin", [])]
    assert flowd("users", "delete", "bob", "--yes").code == 0
    assert len(json.loads(flowd("users", "list", "-o", "json").out)) == 2


def test_what_a_command_changes_is_in_the_audit_log(flowd: Flowd, home: Path) -> None:
    flowd("users", "create", "ada", "--no-password")
    flowd("users", "set-groups", "ada", "sales")
    flowd("users", "list")

    with closing(sqlite3.connect(home / "flowd.db")) as database:
        rows = list(database.execute("SELECT event, owner, extra FROM audit_event ORDER BY id"))
    assert [(event, owner) for event, owner, _ in rows] == [
        ("cli_users_create", getpass.getuser()),
        ("cli_users_set_groups", getpass.getuser()),
    ]
    (change,) = json.loads(rows[1][2])["changes"]
    assert (change["thing"], change["before"]["groups"], change["after"]["groups"]) == ("user ada", [], ["sales"])


def test_tokens_come_and_go_and_their_secret_is_shown_once(flowd: Flowd) -> None:
    flowd("users", "create", "ada", "--role", "user", "--no-password")
    assert flowd("tokens", "list").err == "No tokens: `flowd tokens create` makes one.\n"
    made = json.loads(flowd("tokens", "create", "ada", "ci", "--role", "viewer", "--expires", "2d", "-o", "json").out)

    assert (made["role"], made["secret"][:6]) == ("Viewer", "flowd_")
    listed = flowd("tokens", "list", "ada", "-o", "json").out
    assert json.loads(listed) == [{name: value for name, value in made.items() if name != "secret"}]
    assert flowd("tokens", "create", "ada", "x", "--expires", "soon").err.startswith("flowd: --expires: 'soon' is no")
    assert flowd("tokens", "revoke", "ada", "ci", "--yes").code == 0
    assert flowd("tokens", "revoke", "ada", "ci", "--yes").code == 3
    flowd("tokens", "create", "ada", "other")
    assert flowd("users", "revoke", "ada", "--yes").code == 0
    assert json.loads(flowd("tokens", "list", "-o", "json").out) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["create", "ada", "--role", "God", "-p", "x"], 2, "'God' is no role"),
        (["create", "--role", "Op", "-p", "x"], 2, "no user name was given"),
        (["create", "ada"], 2, "no password was given"),
        (["create", "Op", "-p", "x"], 2, "'Op' is a role; a user needs a name of its own"),
        (["create", "ada", "-g", "Admin", "-p", "x"], 2, "'Admin' is a role; a group needs a name of its own"),
        (["delete", "eve", "--yes"], 3, "there is no user 'eve'"),
        (["login-link", "eve"], 3, "there is no user 'eve'"),
    ],
)
def test_what_is_wrong_about_a_user_is_said(flowd: Flowd, arguments: list[str], code: int, message: str) -> None:
    outcome = flowd("users", *arguments)

    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err


def test_a_login_link_is_a_url_of_the_node(flowd: Flowd) -> None:
    flowd("users", "create", "ada", "--no-password")

    assert flowd("users", "login-link", "ada").out.startswith("http://127.0.0.1:8080/login?token=")


def test_pools_are_exported_and_imported(flowd: Flowd, tmp_path: Path) -> None:
    assert flowd("pools", "set", "gpu", "2", "cards", "--include-deferred").code == 0
    assert flowd("pools", "export", "pools.json").code == 0
    assert flowd("pools", "delete", "gpu", "--yes").code == 0
    assert flowd("pools", "import", "pools.json").code == 0

    gpu = {"name": "gpu", "slots": 2, "description": "cards", "include_deferred": True, "open_slots": 2}
    assert gpu.items() <= json.loads(flowd("pools", "get", "gpu", "-o", "json").out).items()
    assert flowd("pools", "import", "-", stdin='{"x": {"slots": "many"}}').code == 2
    assert flowd("pools", "get", "x").code == 3


def test_variables_are_exported_and_imported_in_airflows_form(flowd: Flowd, tmp_path: Path) -> None:
    document = {"a": "text", "b": {"nested": [1]}, "c": {"value": 5, "description": "why"}}

    assert flowd("variables", "import", "-", stdin=json.dumps(document)).code == 0
    assert flowd("variables", "export", "all.json").code == 0

    assert json.loads((tmp_path / "all.json").read_text()) == {
        "a": "text",
        "b": '{"nested": [1]}',
        "c": {"value": "5", "description": "why"},
    }
    assert stat.S_IMODE((tmp_path / "all.json").stat().st_mode) == 0o600
    assert flowd("variables", "list", "-o", "plain").out == "a\t\nb\t\nc\twhy\n"
    assert flowd("variables", "get", "zz", "--default", "none").out == "none\n"
    assert flowd("variables", "set", "d", "{", "--json").code == 2
    assert flowd("variables", "rotate").code == 0


def test_connections_hide_their_password_until_asked(flowd: Flowd) -> None:
    uri = "postgres://ada:hunter2@db:5432/main?sslmode=require"
    flowd("connections", "add", "warehouse", "--conn-uri", uri)

    hidden = flowd("connections", "list").out + flowd("connections", "get", "warehouse").out

    assert "hunter2" not in hidden and "***" in hidden
    assert json.loads(flowd("connections", "get", "warehouse", "--reveal", "-o", "json").out)["uri"] == uri
    assert flowd("connections", "set", "x", "--uri", uri, "--host", "h").code == 2


def test_a_connection_is_tested_where_the_settings_allow_it(flowd: Flowd, monkeypatch: pytest.MonkeyPatch) -> None:
    with an_http_service() as service:
        flowd("connections", "set", "api", "--uri", f"http://me:CANARY@127.0.0.1:{service.port}")
        refused = flowd("connections", "test", "api")
        monkeypatch.setenv("FLOWD__API__TEST_CONNECTIONS", "true")
        well = flowd("connections", "test", "api")
        service.answer = lambda _: (500, "")
        badly = flowd("connections", "test", "api")

    assert refused.code != 0 and "Testing connections is disabled" in refused.err
    assert (well.code, well.err) == (0, "Connection api answers: GET was answered 200 OK\n")
    assert (badly.code, badly.err.count("does not answer as wanted")) == (1, 1)
    assert flowd("connections", "test", "nope").code == 3


@pytest.mark.parametrize("file", ["all.json", "all.env"])
def test_connections_are_exported_and_imported(flowd: Flowd, file: str) -> None:
    flowd("connections", "set", "a", "--uri", "http://u:p@h:80/s?k=v")
    flowd("connections", "set", "b", "--type", "aws", "--extra", '{"n": {"m": 1}}')
    before = flowd("connections", "export", "-").out

    assert flowd("connections", "export", file).code == 0
    for conn_id in ("a", "b"):
        assert flowd("connections", "delete", conn_id, "--yes").code == 0
    assert flowd("connections", "import", file).code == 0

    assert flowd("connections", "export", "-").out == before


def test_airflows_export_of_connections_is_understood(flowd: Flowd) -> None:
    document = {
        "a": {"conn_type": "http", "host": "h", "port": "80", "login": None, "extra": {"k": 1}},
        "b": "aws://key:secret@/",
    }

    assert flowd("connections", "import", "-", stdin=json.dumps(document)).code == 0

    exported = json.loads(flowd("connections", "export", "-").out)
    assert (exported["a"]["port"], exported["a"]["extra"], exported["b"]["login"]) == (80, '{"k": 1}', "key")
    for bad in ({"host": "h"}, {"conn_type": "a", "hots": "h"}, {"conn_type": "a", "port": "x"}, 5):
        assert flowd("connections", "import", "-", stdin=json.dumps({"c": bad})).code == 2


@pytest.mark.parametrize("text", ["{", "[]", "no json"])
def test_a_file_that_is_no_json_object_is_refused(flowd: Flowd, text: str) -> None:
    for noun in ("pools", "variables", "connections"):
        assert flowd(noun, "import", "-", stdin=text).code == 2
        assert flowd(noun, "import", "/no/such/file").code == 2


def test_the_configuration_is_shown_with_its_sources_and_without_secrets(
    flowd: Flowd, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("FLOWD__WORKER__LEASE", "90s")
    monkeypatch.setenv("FLOWD__QUEUE__URL", "amqp://flowd:hunter2@broker/")
    monkeypatch.setenv("FLOWD__SECURITY__ADMIN_PASSWORD", "hunter3")
    monkeypatch.setenv("FLOWD__WORKER__LAESE", "1s")

    outcome = flowd("config", "list", "--show-sources", "-o", "plain")

    assert "worker.lease\t90s\tenvironment\n" in outcome.out
    assert "queue.url\tamqp://flowd:***@broker/\tenvironment\n" in outcome.out
    assert "security.admin_password\t***\tenvironment\n" in outcome.out
    assert "hunter" not in outcome.out + outcome.err
    assert "did you mean FLOWD__WORKER__LEASE?" in outcome.err
    assert not home.exists()


def test_one_setting_is_shown_and_explained(flowd: Flowd) -> None:
    assert flowd("config", "get", "worker.concurrency").out == "16\n"
    assert flowd("config", "get-value", "worker", "concurrency").out == "16\n"
    assert "FLOWD__SECURITY__FERNET_KEY_FILE" in flowd("config", "explain", "FLOWD__SECURITY__FERNET_KEY").out
    outcome = flowd("config", "get", "worker.laese")
    assert outcome.code == 3 and "did you mean worker.lease?" in outcome.err


def test_lint_finds_what_would_stop_a_node_and_makes_nothing(
    flowd: Flowd, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    assert flowd("config", "lint").code == 0

    monkeypatch.setenv("FLOWD__API__HOST", "0.0.0.0")
    outcome = flowd("config", "lint")

    assert outcome.code == 78 and "FLOWD__SECURITY__SECRET_KEY is not set" in outcome.err
    assert not home.exists()


@pytest.mark.usefixtures("keys")
def test_lint_reads_the_urls_as_a_node_would(flowd: Flowd, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("FLOWD__DATABASE__URL", "postgresql://flowd:hunter2@db/flowd?bogus=1")
    monkeypatch.setenv("FLOWD__QUEUE__URL", "sqs://key:hunter2@somewhere")

    outcome = flowd("config", "lint")

    assert outcome.code == 78 and "has 2 problems" in outcome.err
    assert "option 'bogus'" in outcome.err and "names a host" in outcome.err
    assert "hunter2" not in outcome.err
    assert not home.exists()


def test_the_defaults_are_a_toml_file(flowd: Flowd) -> None:
    assert "[worker]" in flowd("config", "list", "--defaults", "-o", "toml").out
    assert flowd("config", "list", "-o", "toml").code == 2


def test_health_tells_each_part_apart(flowd: Flowd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWD__API__PORT", "1")

    outcome = flowd("health", "-o", "json")

    assert outcome.code == 0
    rows = {row["part"]: row["status"] for row in json.loads(outcome.out)}
    assert rows == {"metastore": "healthy", "queue": "healthy", "node": "not running"}


@pytest.mark.usefixtures("keys")
def test_health_prints_nothing_but_data_whatever_the_broker_has_to_say(
    flowd: Flowd, monkeypatch: pytest.MonkeyPatch, amqp_url: str
) -> None:
    monkeypatch.setenv("FLOWD__API__PORT", "1")
    monkeypatch.setenv("FLOWD__QUEUE__URL", amqp_url)

    outcome = flowd("health", "-o", "json")

    assert {row["part"]: row["status"] for row in json.loads(outcome.out)}["queue"] == "healthy"
    assert outcome.err == ""


@pytest.mark.usefixtures("keys")
def test_health_is_unreachable_where_the_metastore_is(flowd: Flowd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWD__DATABASE__URL", "postgresql://flowd:hunter2@127.0.0.1:1/flowd")

    outcome = flowd("health", "-o", "plain")

    assert outcome.code == 5 and "metastore\tunhealthy" in outcome.out
    assert "hunter2" not in outcome.out + outcome.err
