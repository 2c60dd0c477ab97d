"""Which secret backend is meant, by flowd's names and by Airflow's, and what it is told."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from flowd.domain.errors import InvalidSettings
from flowd.settings.catalogue import shown
from flowd.settings.load import Keys, load_settings
from flowd.settings.model import Settings
from flowd.settings.secret_backends import FileBackend, ParameterStore, SecretsManager

AMAZON = "airflow.providers.amazon.aws.secrets"


def load(folder: Path, environ: Mapping[str, str]) -> Settings:
    return load_settings({"FLOWD_HOME": str(folder), **environ}, keys=Keys.OPTIONAL, folder=folder)


@pytest.mark.parametrize(
    ("name", "kwargs", "wanted"),
    [
        ("airflow.secrets.local_filesystem.LocalFilesystemBackend", {"variables_file_path": "/v.json"}, FileBackend),
        (f"{AMAZON}.secrets_manager.SecretsManagerBackend", {"sep": "-", "full_url_mode": False}, SecretsManager),
        (f"{AMAZON}.systems_manager.SystemsManagerParameterStoreBackend", {"profile_name": None}, ParameterStore),
        ("file", {}, FileBackend),
        ("aws_secrets_manager", {"connections_prefix": None}, SecretsManager),
        ("aws_parameter_store", {"region_name": "eu-west-1"}, ParameterStore),
    ],
)
def test_airflows_names_and_arguments_are_understood(
    tmp_path: Path, name: str, kwargs: dict[str, object], wanted: type
) -> None:
    given = {"AIRFLOW__SECRETS__BACKEND": name, "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(kwargs)}

    (backend,) = load(tmp_path, given).secrets.backends

    assert isinstance(backend, wanted)
    assert {key: getattr(backend, key) for key in kwargs if key != "variables_file_path"} == {
        key: value for key, value in kwargs.items() if key != "variables_file_path"
    }


def test_several_are_asked_in_their_order_and_flowds_own_name_comes_first(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        {
            "AIRFLOW__SECRETS__BACKEND": "nonsense",
            "FLOWD__SECRETS__BACKEND": "file,aws_parameter_store",
            "FLOWD__SECRETS__BACKEND_KWARGS": '[{"variables_file_path": "/v.json"}, {"region_name": "eu-west-1"}]',
        },
    )

    assert [one.kind for one in settings.secrets.backends] == ["file", "aws_parameter_store"]
    assert load(tmp_path, {}).secrets.backends == ()


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        (
            "airflow.providers.hashicorp.secrets.vault.VaultBackend",
            "{}",
            "there is no secret backend 'airflow.providers",
        ),
        ("file", "{CANARY", "backend_kwargs is no JSON"),
        ("file", '["CANARY"]', "backend_kwargs must be a JSON object"),
        ("file,file", '{"variables_file_path": "/v"}', "a JSON list of 2 objects, one for each backend"),
        ("file", '{"variables_path": "CANARY"}', "variables_path: Extra inputs .*known are variables_file_path"),
        ("aws_secrets_manager", '{"aws_secret_access_key": ["CANARY"]}', "aws_secret_access_key: Input should be"),
        ("aws_secrets_manager", '{"role_arn": "arn"}', "takes no role_arn: write a profile"),
        ("aws_parameter_store", '{"variables_lookup_pattern": "("}', "it is no regular expression"),
    ],
)
def test_what_is_not_understood_is_refused_by_name_and_without_a_secret(
    tmp_path: Path, name: str, kwargs: str, message: str
) -> None:
    given = {"AIRFLOW__SECRETS__BACKEND": name, "FLOWD__SECRETS__BACKEND_KWARGS": kwargs}

    with pytest.raises(InvalidSettings, match=message) as raised:
        load(tmp_path, given)

    assert "CANARY" not in str(raised.value)


def test_its_credentials_are_hidden_and_masked(tmp_path: Path) -> None:
    kwargs = '{"aws_access_key_id": "KEY", "aws_secret_access_key": "CANARY-1", "aws_session_token": "CANARY-2"}'
    settings = load(
        tmp_path, {"AIRFLOW__SECRETS__BACKEND": "aws_parameter_store", "AIRFLOW__SECRETS__BACKEND_KWARGS": kwargs}
    )

    assert "CANARY" not in repr(settings) + shown(settings, "secrets.backend_kwargs") + repr(settings.secrets.backends)
    assert set(settings.secret_texts()) == {"CANARY-1", "CANARY-2"}
