"""Which secret backends there are, by flowd's names and by Airflow's, and what each is told."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, ValidationError

FILE, SECRETS_MANAGER, PARAMETER_STORE = "file", "aws_secrets_manager", "aws_parameter_store"

_AMAZON = "airflow.providers.amazon.aws.secrets"
_KINDS = {
    FILE: FILE,
    "airflow.secrets.local_filesystem.LocalFilesystemBackend": FILE,
    SECRETS_MANAGER: SECRETS_MANAGER,
    f"{_AMAZON}.secrets_manager.SecretsManagerBackend": SECRETS_MANAGER,
    "airflow.contrib.secrets.aws_secrets_manager.SecretsManagerBackend": SECRETS_MANAGER,
    PARAMETER_STORE: PARAMETER_STORE,
    f"{_AMAZON}.systems_manager.SystemsManagerParameterStoreBackend": PARAMETER_STORE,
    "airflow.contrib.secrets.aws_systems_manager.SystemsManagerParameterStoreBackend": PARAMETER_STORE,
}


def _is_pattern(text: str | None) -> str | None:
    try:
        re.compile(text or "")
    except re.error as error:
        raise ValueError(f"it is no regular expression: {error}") from error
    return text


Pattern = Annotated[str | None, AfterValidator(_is_pattern)]


class _Told(BaseModel):
    """What a backend is told: Airflow's keyword arguments, and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class FileBackend(_Told):
    """Files on every node, JSON, YAML or .env; Airflow's LocalFilesystemBackend."""

    kind: Literal["file"] = "file"
    variables_file_path: Path | None = None
    connections_file_path: Path | None = None
    configs_file_path: Path | None = None


class AwsBackend(_Told):
    """How AWS is reached, and what is looked for there. A prefix of None: such things are not looked for."""

    connections_prefix: str | None = "airflow/connections"
    connections_lookup_pattern: Pattern = None
    variables_prefix: str | None = "airflow/variables"
    variables_lookup_pattern: Pattern = None
    config_prefix: str | None = None
    config_lookup_pattern: Pattern = None
    profile_name: str | None = None
    region_name: str | None = None
    endpoint_url: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: SecretStr | None = None
    aws_session_token: SecretStr | None = None
    verify: bool | str | None = None
    use_ssl: bool | None = None
    api_version: str | None = None


class SecretsManager(AwsBackend):
    """AWS Secrets Manager; Airflow's SecretsManagerBackend."""

    kind: Literal["aws_secrets_manager"] = "aws_secrets_manager"
    sep: str = "/"
    extra_conn_words: Mapping[str, tuple[str, ...]] = {}
    are_secret_values_urlencoded: bool = False
    full_url_mode: bool | None = None


class ParameterStore(AwsBackend):
    """The parameter store of AWS Systems Manager; Airflow's SystemsManagerParameterStoreBackend."""

    kind: Literal["aws_parameter_store"] = "aws_parameter_store"


SecretBackend = FileBackend | SecretsManager | ParameterStore
_MODELS: Mapping[str, type[FileBackend] | type[SecretsManager] | type[ParameterStore]] = {
    FILE: FileBackend,
    SECRETS_MANAGER: SecretsManager,
    PARAMETER_STORE: ParameterStore,
}


def read_backends(names: tuple[str, ...], kwargs: str) -> tuple[SecretBackend, ...]:
    """Return the backends in the order they are asked in.

    `kwargs` is a JSON object, or for several backends a list with one for each. Raises ValueError, which shows no
    value.
    """
    given = _documents(kwargs, len(names))
    return tuple(_backend(name, told) for name, told in zip(names, given, strict=True))


def _documents(kwargs: str, count: int) -> list[Any]:
    try:
        document = json.loads(kwargs) if kwargs.strip() else {}
    except ValueError as error:
        raise ValueError(f"backend_kwargs is no JSON ({str(error).partition(':')[0]}); wanted an object") from None
    found = document if isinstance(document, list) else [document] * count if not document else [document]
    if len(found) != count or not all(isinstance(one, dict) for one in found):
        wanted = "a JSON object" if count == 1 else f"a JSON list of {count} objects, one for each backend"
        raise ValueError(f"backend_kwargs must be {wanted}")
    return found


def _backend(name: str, told: dict[str, Any]) -> SecretBackend:
    kind = _KINDS.get(name)
    if kind is None:
        raise ValueError(f"there is no secret backend {name!r}; known are {', '.join(sorted(_KINDS))}")
    if "role_arn" in told:
        raise ValueError(
            f"{kind} takes no role_arn: write a profile that assumes the role into ~/.aws/config, and name it in"
            " profile_name"
        )
    try:
        return _MODELS[kind].model_validate({key: value for key, value in told.items() if key != "kind"})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        known = ", ".join(key for key in _MODELS[kind].model_fields if key != "kind")
        raise ValueError(f"backend_kwargs of {kind}: {problems}; known are {known}") from None
