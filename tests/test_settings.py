"""What a node is told: from where, in which order, and what is said where it is wrong."""

import os
import stat
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from flowd.domain.errors import InvalidSettings
from flowd.settings.catalogue import catalogue, shown
from flowd.settings.document import defaults_toml
from flowd.settings.load import Keys, load_settings
from flowd.settings.model import Settings
from flowd.settings.types import NodeRole, hide_password

REPOSITORY = Path(__file__).parents[1]
FERNET_KEY = Fernet.generate_key().decode()
SECRET_KEY = "a secret of thirty-two characters"
KEYS = {"FLOWD__SECURITY__SECRET_KEY": SECRET_KEY, "FLOWD__SECURITY__FERNET_KEY": FERNET_KEY}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where `.env` and config/flowd.toml are looked for."""
    (tmp_path / "config").mkdir()
    return tmp_path


def load(
    folder: Path,
    given: Mapping[str, str] | None = None,
    *,
    keys: Keys = Keys.MAKE,
    flags: Mapping[str, object] | None = None,
    **more: str,
) -> Settings:
    environ = {"FLOWD_HOME": str(folder / "home"), **(given or {}), **more}
    return load_settings(environ, flags, keys=keys, folder=folder)


def problems(folder: Path, given: Mapping[str, str] | None = None, **more: str) -> str:
    with pytest.raises(InvalidSettings) as raised:
        load(folder, {**(given or {}), **more})
    return str(raised.value)


def test_without_any_configuration_a_node_is_embedded_and_on_loopback(folder: Path) -> None:
    settings = load(folder)

    assert settings.database.url.get_secret_value() == f"sqlite:///{folder}/home/flowd.db"
    assert settings.database.is_embedded and settings.queue.is_embedded and settings.api.is_loopback
    assert settings.node.roles == (NodeRole.API, NodeRole.SCHEDULER, NodeRole.WORKER)
    assert settings.dags.folder == folder / "home/dags"
    assert settings.logs.folder == folder / "home/logs"
    assert settings.worker.lease == timedelta(seconds=60)
    assert settings.scheduler.retention is None


def test_each_source_gives_way_to_the_one_before_it(folder: Path) -> None:
    variable = "FLOWD__WORKER__CONCURRENCY"
    seen = []

    seen.append(load(folder))
    (folder / "config/flowd.toml").write_text("[worker]\nconcurrency = 2\n")
    seen.append(load(folder))
    (folder / ".env").write_text(f"{variable}=3\n")
    seen.append(load(folder))
    seen.append(load(folder, {variable: "4"}))
    seen.append(load(folder, {variable: "4"}, flags={"worker.concurrency": 5, "worker.queues": None}))

    assert [one.worker.concurrency for one in seen] == [16, 2, 3, 4, 5]
    assert [one.sources()["worker.concurrency"] for one in seen] == ["default", "toml", ".env", "environment", "flag"]
    assert seen[-1].sources()["worker.queues"] == "default"


def test_a_secret_is_read_from_a_file_without_its_line_break(folder: Path) -> None:
    (folder / "key").write_text(f"{SECRET_KEY}\n")

    settings = load(folder, FLOWD__SECURITY__SECRET_KEY_FILE=str(folder / "key"))

    assert settings.security.secret_keys == (SECRET_KEY,)
    assert settings.sources()["security.secret_key"] == "file"


def test_a_secret_given_twice_is_a_problem(folder: Path) -> None:
    text = problems(folder, KEYS, FLOWD__SECURITY__SECRET_KEY_FILE="/run/secrets/key")

    assert "FLOWD__SECURITY__SECRET_KEY and FLOWD__SECURITY__SECRET_KEY_FILE are both set" in text


def test_a_file_of_a_secret_that_is_missing_is_named(folder: Path) -> None:
    text = problems(folder, FLOWD__DATABASE__URL_FILE="/no/such/file")

    assert "FLOWD__DATABASE__URL_FILE names /no/such/file, which cannot be read: No such file or directory" in text


@pytest.mark.parametrize(
    ("variable", "advice"),
    [
        ("FLOWD__WORKER__CONCURENCY", "did you mean FLOWD__WORKER__CONCURRENCY?"),
        ("FLOWD__CELERY__X", "`flowd config list` shows all"),
        ("FLOWD__API__PORT_FILE", "only secrets are read from files; set FLOWD__API__PORT"),
    ],
)
def test_an_unknown_variable_is_warned_of_with_advice(folder: Path, variable: str, advice: str) -> None:
    (warning,) = load(folder, {variable: "1", "FLOWD_API_URL": "x", "OTHER": "y"}).warnings

    assert variable in warning and advice in warning


def test_an_unknown_name_in_the_toml_file_is_warned_of(folder: Path) -> None:
    (folder / "config/flowd.toml").write_text("[worker]\nconcurency = 2\n")

    (warning,) = load(folder).warnings

    assert "worker.concurency is no setting; did you mean worker.concurrency?" in warning


def test_every_problem_is_told_at_once_with_its_place_and_value(folder: Path) -> None:
    (folder / "config/flowd.toml").write_text('[logs]\nlevel = "loud"\n')

    text = problems(
        folder,
        FLOWD__API__PORT="abc",
        FLOWD__API__HOST="0.0.0.0",
        FLOWD__NODE__ROLES="api,dancer",
        FLOWD__DATABASE__URL="postgresql://flowd:hunter2@db/flowd",
        FLOWD__QUEUE__URL="kafka://broker",
        FLOWD__DAGS__PARSE_TIMEOUT="soon",
        FLOWD__DAGS__PARSE_MEMORY="much",
        FLOWD__WORKER__HEARTBEAT="30s",
        FLOWD__SECURITY__FERNET_KEY="hunter2",
    )

    assert text.startswith("the configuration has 9 problems:\n")
    for part in (
        "FLOWD__API__PORT: input should be a valid integer",
        "(found 'abc')",
        "FLOWD__NODE__ROLES: input should be 'api', 'scheduler', 'worker' or 'kerberos'",
        "FLOWD__QUEUE__URL: it begins with kafka://; wanted one of database://, amqp://, amqps://",
        "FLOWD__DAGS__PARSE_TIMEOUT: 'soon' is no duration",
        "FLOWD__DAGS__PARSE_MEMORY: 'much' is no size",
        "heartbeat is 30s and lease 1m: a lease must last 3 heartbeats",
        f"logs.level in {folder}/config/flowd.toml: input should be 'debug'",
        "FLOWD__SECURITY__FERNET_KEY: each key is 32 bytes",
        "FLOWD__SECURITY__SECRET_KEY is not set, and the metastore is a server",
    ):
        assert part in text
    assert "hunter2" not in text


def test_a_text_without_a_scheme_in_place_of_a_url_is_not_repeated(folder: Path) -> None:
    text = problems(folder, FLOWD__DATABASE__URL="hunter2")

    assert "FLOWD__DATABASE__URL: it is no URL" in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[worker\n", "cannot be read"),
        ("concurrency = 2\n", "'concurrency' stands outside a section"),
    ],
)
def test_a_broken_toml_file_is_a_problem(folder: Path, text: str, message: str) -> None:
    (folder / "config/flowd.toml").write_text(text)

    assert message in problems(folder)


def test_a_named_toml_file_must_exist(folder: Path) -> None:
    assert "FLOWD_CONFIG names /no/such.toml, which does not exist" in problems(folder, FLOWD_CONFIG="/no/such.toml")


def test_a_toml_file_holds_numbers_lists_and_truth_values_as_toml_has_them(folder: Path) -> None:
    (folder / "mine.toml").write_text('[worker]\nqueues = ["a", "b"]\nlease = 90\n[dags]\npaused_at_creation = false\n')

    settings = load(folder, FLOWD_CONFIG=str(folder / "mine.toml"))

    assert settings.worker.queues == ("a", "b")
    assert settings.worker.lease == timedelta(seconds=90)
    assert settings.dags.paused_at_creation is False


def test_an_empty_variable_is_an_unset_one(folder: Path) -> None:
    settings = load(folder, FLOWD__WORKER__LEASE="", FLOWD__SECURITY__ADMIN_PASSWORD="")

    assert settings.worker.lease == timedelta(seconds=60)
    assert settings.security.admin_password is None


def test_the_home_is_filled_in_wherever_it_is_named(folder: Path) -> None:
    settings = load(folder, FLOWD__DAGS__FOLDER="${FLOWD_HOME}/mine", FLOWD__LOGS__URL="file://$FLOWD_HOME/out")

    assert settings.dags.folder == folder / "home/mine"
    assert settings.logs.folder == folder / "home/out"


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"FLOWD__API__HOST": "0.0.0.0"}, "the API listens on 0.0.0.0"),
        ({"FLOWD__DATABASE__URL": "postgresql://db/flowd"}, "the metastore is a server"),
        ({"FLOWD__QUEUE__URL": "amqp://broker"}, "the queue is a broker"),
    ],
)
def test_a_node_that_others_can_reach_refuses_to_make_up_its_keys(
    folder: Path, environ: dict[str, str], reason: str
) -> None:
    text = problems(folder, environ, FLOWD__SECURITY__FERNET_KEY=FERNET_KEY)

    assert reason in text
    assert "FLOWD__SECURITY__SECRET_KEY" in text and "FERNET_KEY" not in text
    assert not (folder / "home").exists()
    assert load(folder, {**environ, **KEYS}).security.secret_keys == (SECRET_KEY,)


def test_a_node_alone_makes_up_its_keys_once_for_its_owner_only(folder: Path) -> None:
    first, second = load(folder), load(folder)

    path = folder / "home/secrets.toml"
    assert first.security.fernet_keys == second.security.fernet_keys != ()
    assert first.security.secret_keys == second.security.secret_keys != ()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first.sources()["security.secret_key"] == "generated"
    assert os.listdir(folder / "home") == ["secrets.toml"]


@pytest.mark.parametrize("keys", [Keys.CHECK, Keys.OPTIONAL])
def test_nothing_is_made_where_it_is_not_asked_for(folder: Path, keys: Keys) -> None:
    assert load(folder, keys=keys).security.secret_keys == ()
    assert not (folder / "home").exists()


def test_a_damaged_file_of_keys_is_not_replaced(folder: Path) -> None:
    (folder / "home").mkdir()
    (folder / "home/secrets.toml").write_text("[security\n")

    assert "secrets.toml cannot be read" in problems(folder)


def test_keys_are_a_list_so_that_they_can_be_rotated(folder: Path) -> None:
    other = Fernet.generate_key().decode()

    settings = load(folder, FLOWD__SECURITY__FERNET_KEY=f"{other}, {FERNET_KEY}")

    assert settings.security.fernet_keys == (other, FERNET_KEY)


def test_no_secret_is_shown(folder: Path) -> None:
    environ = {
        **KEYS,
        "FLOWD__SECURITY__ADMIN_PASSWORD": "hunter2",
        "FLOWD__DATABASE__URL": "postgresql://flowd:hunter%333@db/flowd",
        "FLOWD__QUEUE__URL": "amqp://flowd:hunter/4@broker//",
    }
    settings = load(folder, environ)

    text = repr(settings) + str(settings) + "".join(shown(settings, name) for name in catalogue())

    for secret in (SECRET_KEY, FERNET_KEY, "hunter"):
        assert secret not in text
    assert set(settings.secret_texts()) == {SECRET_KEY, FERNET_KEY, "hunter2", "hunter%333", "hunter33", "hunter/4"}
    assert shown(settings, "database.url") == "postgresql://flowd:***@db/flowd"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("sqs://KEY:SEC/RET+x@", "sqs://KEY:***@"),
        ("amqp://a:b@c@h1,h2/v", "amqp://a:***@h1,h2/v"),
        ("postgresql://h/d?user=a&password=b&sslmode=c", "postgresql://h/d?user=a&password=***&sslmode=c"),
        ("sqlite:////var/flowd.db", "sqlite:////var/flowd.db"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, wanted: str) -> None:
    assert hide_password(url) == wanted


def test_settings_and_sections_cannot_be_changed(folder: Path) -> None:
    settings = load(folder)

    with pytest.raises(ValueError, match="frozen"):
        settings.worker.concurrency = 3


def test_what_is_shown_reads_back_as_the_same_settings(folder: Path) -> None:
    settings = load(folder, KEYS, FLOWD__WORKER__LEASE="90500ms", FLOWD__SCHEDULER__RETENTION="90d")
    plain = {name: shown(settings, name) for name, info in catalogue().items() if not info.is_secret}

    again = load(folder, KEYS, flags=plain)

    assert {name: shown(again, name) for name in plain} == plain
    assert again.worker.lease == timedelta(seconds=90.5)


@pytest.mark.parametrize(
    ("host", "port", "public_url", "url"),
    [
        ("127.0.0.1", "8080", "", "http://127.0.0.1:8080"),
        ("::1", "80", "", "http://[::1]:80"),
        ("127.0.0.1", "8080", "https://flowd.example/base/", "https://flowd.example/base"),
    ],
)
def test_the_apis_url_is_where_people_reach_it(folder: Path, host: str, port: str, public_url: str, url: str) -> None:
    environ = {"FLOWD__API__HOST": host, "FLOWD__API__PORT": port, "FLOWD__API__PUBLIC_URL": public_url}

    assert load(folder, environ).api.url == url


def test_the_toml_file_in_the_repository_is_fresh_and_changes_nothing(folder: Path) -> None:
    path = REPOSITORY / "config/flowd.toml"

    assert path.read_text() == defaults_toml(), "run: flowd config list --defaults -o toml > config/flowd.toml"
    assert "toml" not in load(folder, FLOWD_CONFIG=str(path)).sources().values()


def test_the_toml_file_with_every_comment_taken_off_gives_the_defaults(folder: Path) -> None:
    lines = [line.removeprefix("# ") if " = " in line else line for line in defaults_toml().splitlines()]
    (folder / "config/flowd.toml").write_text("\n".join(lines))

    settings = load(folder, keys=Keys.OPTIONAL)

    assert set(settings.sources().values()) == {"toml"}
    assert settings.warnings == ()


def test_every_setting_has_a_meaning() -> None:
    assert [name for name, info in catalogue().items() if not info.description.endswith(".")] == []


def test_processes_of_tasks_are_told_of_the_store_of_xcoms_under_airflows_names(folder: Path) -> None:
    assert load(folder).xcom.variables == {}
    assert load(
        folder,
        FLOWD__XCOM__STORE="s3://aws_default@bucket/xcoms/",
        FLOWD__XCOM__THRESHOLD="2KiB",
        FLOWD__XCOM__COMPRESSION="gzip",
    ).xcom.variables == {
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": "s3://aws_default@bucket/xcoms",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD": "2048",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_COMPRESSION": "gzip",
    }


@pytest.mark.parametrize("store", ["/data/xcoms", "file://data", "s3://key:secret@bucket", "s3://"])
def test_the_store_of_xcoms_is_a_url_without_a_password(folder: Path, store: str) -> None:
    assert "it must be file:///FOLDER or s3://CONNECTION_ID@BUCKET/PREFIX" in problems(folder, FLOWD__XCOM__STORE=store)


def test_an_xcom_backend_of_ones_own_is_refused_with_what_to_do(folder: Path) -> None:
    said = problems(folder, AIRFLOW__CORE__XCOM_BACKEND="company.xcom.EncryptedBackend")

    assert "AIRFLOW__CORE__XCOM_BACKEND names company.xcom.EncryptedBackend" in said
    assert "unset it" in said and "FLOWD__XCOM__STORE" in said


def test_an_xcom_backend_in_the_env_file_is_refused_by_its_place(folder: Path) -> None:
    (folder / ".env").write_text("AIRFLOW__CORE__XCOM_BACKEND=company.Backend\n")

    assert "AIRFLOW__CORE__XCOM_BACKEND in .env names company.Backend" in problems(folder)


@pytest.mark.parametrize(
    "backend", ["", "airflow.models.xcom.BaseXCom", "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend"]
)
def test_airflows_own_xcom_backends_are_covered(folder: Path, backend: str) -> None:
    assert load(folder, AIRFLOW__CORE__XCOM_BACKEND=backend).warnings == ()
