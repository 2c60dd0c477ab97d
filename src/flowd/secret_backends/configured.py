"""The secret backends that the settings name, with nothing loaded for those that they do not."""

from collections.abc import Mapping, Sequence

from flowd.clock import Clock
from flowd.domain.errors import InvalidSettings
from flowd.secret_backends.base import SecretBackend
from flowd.secret_backends.files import FileSecrets
from flowd.secret_backends.lookup import SecretLookup
from flowd.settings.model import SecretsSettings
from flowd.settings.secret_backends import FileBackend, ParameterStore, SecretsManager


def configured_lookup(settings: SecretsSettings, environ: Mapping[str, str], clock: Clock) -> SecretLookup:
    """Return the lookup that the settings ask for, not opened yet; raise InvalidSettings where a package is missing."""
    return SecretLookup(_backends(settings), environ, clock, settings.cache)


def _backends(settings: SecretsSettings) -> Sequence[SecretBackend]:
    try:
        return [_made(told) for told in settings.backends]
    except ModuleNotFoundError as error:
        raise InvalidSettings(
            f"secrets.backend is one of AWS, and {error.name} is not installed; pip install 'flowd[aws]'"
        ) from error


def _made(told: FileBackend | SecretsManager | ParameterStore) -> SecretBackend:
    match told:
        case FileBackend():
            return FileSecrets(variables=told.variables_file_path, connections=told.connections_file_path)
        case SecretsManager():
            from flowd.secret_backends.aws_secrets import SecretsManagerSecrets

            return SecretsManagerSecrets(told)
        case ParameterStore():
            from flowd.secret_backends.aws_parameters import ParameterStoreSecrets

            return ParameterStoreSecrets(told)
