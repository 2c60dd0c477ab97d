"""AwsClient: calls to one service of AWS that always end, and end in errors of ours that show no secret."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aioboto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError, ProfileNotFound

from flowd.domain.errors import InvalidSettings
from flowd.secret_backends.base import SecretsUnavailable
from flowd.settings.secret_backends import AwsBackend

ANSWER_SECONDS = 10.0
CONNECT_SECONDS = 3.0
_TRIES = 3
_LONGEST_REASON = 300


class AwsClient:
    """One client for all lookups of a node; `call` may be used by many at once."""

    def __init__(self, service: str, told: AwsBackend) -> None:
        self._service = service
        self._told = told
        self._client: Any = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Own the client for the time of the context; nothing is said to AWS.

        Raises InvalidSettings where no region, no credentials or no such profile can be found.
        """
        told = self._told
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _TRIES},
        )
        given = {
            "endpoint_url": told.endpoint_url,
            "verify": told.verify,
            "use_ssl": told.use_ssl,
            "api_version": told.api_version,
        }
        try:
            session = aioboto3.Session(
                profile_name=told.profile_name,
                region_name=told.region_name,
                aws_access_key_id=told.aws_access_key_id,
                aws_secret_access_key=_clear(told.aws_secret_access_key),
                aws_session_token=_clear(told.aws_session_token),
            )
            found = session.get_credentials()
            if (await found if asyncio.iscoroutine(found) else found) is None:
                raise InvalidSettings(
                    f"secrets.backend is {self._service} of AWS, and this machine has no AWS credentials; set"
                    " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, give it a role, or name a profile_name"
                )
            settled = {key: value for key, value in given.items() if value is not None}
            async with session.client(self._service, config=config, **settled) as self._client:
                yield
        except NoRegionError as exc:
            raise InvalidSettings(
                f"secrets.backend is {self._service} of AWS, and no region is known; give backend_kwargs a region_name"
            ) from exc
        except ProfileNotFound as exc:
            raise InvalidSettings(f"secrets.backend_kwargs: {exc}") from exc
        finally:
            self._client = None

    async def call(self, operation: str, *, absent: frozenset[str], **parameters: Any) -> Mapping[str, Any] | None:
        """Return the answer, None where AWS answers by one of the codes in `absent`; raise SecretsUnavailable."""
        if self._client is None:
            raise SecretsUnavailable(f"{self._service} of AWS is not open")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer: Mapping[str, Any] = await getattr(self._client, operation)(**parameters)
        except TimeoutError as exc:
            raise self._unavailable(parameters, f"nothing within {ANSWER_SECONDS:g} s") from exc
        except ClientError as exc:
            error = exc.response.get("Error", {})
            if error.get("Code") in absent:
                return None
            raise self._unavailable(parameters, f"{error.get('Code')}: {error.get('Message', '')}") from exc
        except (BotoCoreError, OSError) as exc:
            raise self._unavailable(parameters, str(exc)) from exc
        return answer

    def _unavailable(self, parameters: Mapping[str, Any], reason: str) -> SecretsUnavailable:
        what = parameters.get("SecretId") or parameters.get("Name")
        return SecretsUnavailable(
            f"{self._service} of AWS was asked for {what!r} and did not answer ({reason[:_LONGEST_REASON]}); check the"
            " credentials of workers and schedulers, and their IAM policy"
        )


def _clear(secret: Any) -> str | None:
    return None if secret is None else str(secret.get_secret_value())
