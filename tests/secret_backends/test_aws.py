"""AWS Secrets Manager and the parameter store of Systems Manager, over a double of both."""

import json
import secrets
from typing import Any

import aioboto3
import pytest

from flowd.domain.errors import InvalidSettings
from flowd.secret_backends.aws_parameters import ParameterStoreSecrets
from flowd.secret_backends.aws_secrets import SecretsManagerSecrets
from flowd.secret_backends.base import SecretsUnavailable
from flowd.settings.secret_backends import ParameterStore, SecretsManager

KEYS = {"aws_access_key_id": "KEY", "aws_secret_access_key": "hunter2", "region_name": "eu-central-1"}


@pytest.fixture
def prefix() -> str:
    """What names no other test's secrets."""
    return f"team-{secrets.token_hex(4)}"


@pytest.fixture
def told(sqs_endpoint: str, prefix: str) -> dict[str, Any]:
    """How the double is reached, and where what this test keeps is."""
    return {
        **KEYS,
        "endpoint_url": sqs_endpoint,
        "variables_prefix": f"{prefix}/variables/",
        "connections_prefix": f"{prefix}/connections",
    }


async def keep(endpoint: str, service: str, **values: str) -> None:
    async with aioboto3.Session(**KEYS).client(service, endpoint_url=endpoint) as client:
        for name, value in values.items():
            if service == "ssm":
                await client.put_parameter(Name=name, Value=value, Type="SecureString")
            else:
                await client.create_secret(Name=name, SecretString=value)


async def test_secrets_manager_is_asked_for_prefix_separator_and_name(
    sqs_endpoint: str, told: dict[str, Any], prefix: str
) -> None:
    await keep(
        sqs_endpoint,
        "secretsmanager",
        **{f"{prefix}/variables/motto": "v", f"{prefix}/connections/db": "http://h/", f"{prefix}-x": "dashed"},
    )
    backend = SecretsManagerSecrets(SecretsManager(**told))
    dashed = SecretsManagerSecrets(SecretsManager(**told | {"variables_prefix": prefix, "sep": "-"}))
    bare = SecretsManagerSecrets(SecretsManager(**told | {"variables_prefix": "", "connections_prefix": None}))

    async with backend.open(), dashed.open(), bare.open():
        assert (await backend.variable("motto"), await backend.connection("db")) == ("v", "http://h/")
        assert await backend.variable("nowhere") is None and await backend.connection("no such: name!") is None
        assert await dashed.variable("x") == "dashed"
        assert await bare.variable(f"{prefix}-x") == "dashed" and await bare.connection("db") is None


async def test_a_json_secret_has_the_words_that_airflows_provider_documents(
    sqs_endpoint: str, told: dict[str, Any], prefix: str
) -> None:
    rds = {"engine": "postgres", "username": "ada", "pass": "p%40ss", "server": "h", "port": 5432, "database": "d"}
    await keep(sqs_endpoint, "secretsmanager", **{f"{prefix}/connections/rds": json.dumps({**rds, "who": "bob"})})
    plain = SecretsManagerSecrets(SecretsManager(**told))
    more = SecretsManagerSecrets(
        SecretsManager(**told, extra_conn_words={"user": ("who",)}, are_secret_values_urlencoded=True)
    )

    async with plain.open(), more.open():
        found = json.loads(await plain.connection("rds") or "")
        encoded = json.loads(await more.connection("rds") or "")

    assert found == {
        "login": "ada", "password": "p%40ss", "host": "h", "port": 5432, "schema": "d", "conn_type": "postgres",
        "extra": None,
    }  # fmt: skip
    assert encoded["password"] == "p@ss"


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_parameter_store_is_asked_for_a_path_with_a_slash_in_front(
    sqs_endpoint: str, told: dict[str, Any], prefix: str, slash: str
) -> None:
    name = f"motto{len(slash)}"
    await keep(
        sqs_endpoint,
        "ssm",
        **{f"/{prefix}/variables/{name}": "v", f"/{prefix}/connections/{name}": '{"conn_type": "http"}'},
    )
    paths = {key: f"{slash}{told[key]}" for key in ("variables_prefix", "connections_prefix")}
    backend = ParameterStoreSecrets(ParameterStore(**told | paths))

    async with backend.open():
        assert (await backend.variable(name), await backend.connection(name)) == ("v", '{"conn_type": "http"}')
        assert await backend.variable("nowhere") is None and await backend.variable("no such: name!") is None


async def test_what_does_not_match_the_pattern_is_not_asked_for(told: dict[str, Any]) -> None:
    nobody = {
        "endpoint_url": "http://127.0.0.1:9",
        "variables_lookup_pattern": "^x-",
        "connections_lookup_pattern": "^x-",
    }
    for backend in (
        SecretsManagerSecrets(SecretsManager(**told | nobody)),
        ParameterStoreSecrets(ParameterStore(**told | nobody)),
    ):
        async with backend.open():
            assert await backend.variable("motto") is None and await backend.connection("db") is None


async def test_a_service_that_does_not_answer_is_told_with_what_to_do(told: dict[str, Any]) -> None:
    backend = ParameterStoreSecrets(ParameterStore(**told | {"endpoint_url": "http://127.0.0.1:9"}))

    async with backend.open():
        with pytest.raises(SecretsUnavailable, match=r"ssm of AWS was asked for '/team-.*/variables/motto'") as raised:
            await backend.variable("motto")

    assert "hunter2" not in str(raised.value)


async def test_what_can_never_answer_is_refused_at_the_start(
    told: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for wrong, message in (
        ({"region_name": None}, "no region is known; give backend_kwargs a region_name"),
        ({"profile_name": "nobody"}, "profile .*nobody.* could not be found"),
    ):
        with pytest.raises(InvalidSettings, match=message):
            async with ParameterStoreSecrets(ParameterStore(**told | wrong)).open():
                pass
