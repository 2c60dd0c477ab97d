"""SqsClient: calls to Amazon SQS that always end, and end in errors of ours. The only file that imports aioboto3."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aioboto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from flowd.domain.errors import InvalidSettings, QueueUnavailable
from flowd.queue.sqs.address import SqsAddress

ANSWER_SECONDS = 5.0
CONNECT_SECONDS = 3.0
LONGEST_WAIT_SECONDS = 20
"""The longest that SQS lets a poll wait for a message."""

_SLACK_SECONDS = 5.0
_TRIES = 2
_CONNECTIONS = 50
_LONGEST_REASON = 300

_REFUSALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "KMS.AccessDeniedException",
        "KmsAccessDenied",
        "MissingAuthenticationToken",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_QUEUE_EXISTS = frozenset({"QueueAlreadyExists", "QueueNameExists"})
_NO_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})


class SqsUnavailable(QueueUnavailable):
    """SQS did not answer, throttled us or failed; trying again later may succeed."""


class SqsRefused(SqsUnavailable):
    """SQS knows us not, or forbids us this; only a person can change that."""


class NoSuchQueue(SqsUnavailable):
    """The queue does not exist, or not any more."""


class QueueExists(SqsUnavailable):
    """The queue that was to be made exists, made otherwise or this very moment."""


class SqsClient:
    """One AWS client for all that a node says to SQS; `call` may be used by many at once."""

    def __init__(self, address: SqsAddress) -> None:
        self._address = address
        self._client: Any = None

    def __str__(self) -> str:
        return str(self._address)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Own the client for the time of the context.

        Says nothing to SQS. Raises InvalidSettings where no region is known, or no credentials can be found.
        """
        address = self._address
        session = aioboto3.Session(
            aws_access_key_id=address.access_key,
            aws_secret_access_key=address.secret_key,
            region_name=address.region,
        )
        if await _credentials(session) is None:
            raise InvalidSettings(
                "queue.url is sqs:// and this machine has no AWS credentials; write them as sqs://KEY:SECRET@, set"
                " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"
            )
        # The retries are few: whoever calls has a deadline, and pauses of its own.
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=LONGEST_WAIT_SECONDS + _SLACK_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _TRIES},
            max_pool_connections=_CONNECTIONS,
        )
        try:
            client = session.client("sqs", endpoint_url=address.endpoint_url, config=config)
            async with client as self._client:
                yield
        except NoRegionError as exc:
            raise InvalidSettings(
                "queue.url is sqs:// and no AWS region is known; set FLOWD__QUEUE__SQS_REGION, as eu-central-1"
            ) from exc
        finally:
            self._client = None

    async def call(self, operation: str, *, seconds: float = ANSWER_SECONDS, **parameters: Any) -> Mapping[str, Any]:
        """Return the answer to one call, or raise SqsUnavailable, as one of its kinds where there is one."""
        if self._client is None:
            raise SqsUnavailable(f"{self._address} is not open")
        try:
            async with asyncio.timeout(seconds):
                answer: Mapping[str, Any] = await getattr(self._client, operation)(**parameters)
        except TimeoutError as exc:
            raise SqsUnavailable(f"{self._address} does not answer: nothing within {seconds:g} s") from exc
        except ClientError as exc:
            raise self._translated(exc, operation) from exc
        except NoCredentialsError as exc:
            raise SqsRefused(f"{self._address} needs credentials, and they are gone from the AWS chain") from exc
        except (BotoCoreError, OSError) as exc:
            raise SqsUnavailable(f"{self._address} does not answer: {str(exc)[:_LONGEST_REASON]}") from exc
        return answer

    def _translated(self, exc: ClientError, operation: str) -> SqsUnavailable:
        error = exc.response.get("Error", {})
        code = str(error.get("Code", "no code"))
        reason = f"{code}: {str(error.get('Message', ''))[:_LONGEST_REASON]}"
        if code in _NO_QUEUE:
            return NoSuchQueue(f"{self._address}: {reason}")
        if code in _QUEUE_EXISTS:
            return QueueExists(f"{self._address}: {reason}")
        if code in _REFUSALS:
            return SqsRefused(
                f"{self._address} refuses us {operation} ({reason});"
                " check the credentials, this machine's clock and the IAM policy"
            )
        return SqsUnavailable(f"{self._address} failed at {operation} ({reason})")


async def _credentials(session: Any) -> Any:
    found = session.get_credentials()
    return await found if asyncio.iscoroutine(found) else found
