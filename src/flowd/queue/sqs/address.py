"""SqsAddress: where SQS is and who we are there. `sqs://KEY:SECRET@`, or `sqs://` for the AWS credential chain."""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote

from flowd.domain.errors import InvalidInput
from flowd.queue.broker_url import redact

SCHEME = "sqs://"
EXAMPLE = "sqs://KEY:SECRET@, or sqs:// for the credentials that AWS gives this machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class SqsAddress:
    """Credentials, region and endpoint; what is None is looked for where every AWS client looks. `str()` is safe."""

    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    region: str | None = None
    endpoint_url: str | None = None

    @classmethod
    def parse(cls, url: str, *, region: str = "", endpoint_url: str = "") -> Self:
        """Read `url`; raise InvalidInput, without the secret, where it is none of ours."""
        user, at, host = url.removeprefix(SCHEME).rpartition("@")
        key, _, secret = user.partition(":")
        if not url.startswith(SCHEME) or bool(key) != bool(secret) or bool(at) != bool(key):
            raise InvalidInput(f"queue URL {redact(url)!r}: wanted {EXAMPLE}")
        if host.strip("/"):
            raise InvalidInput(
                f"queue URL {redact(url)!r} names a host; wanted {EXAMPLE}; where SQS is not at AWS itself, set"
                " FLOWD__QUEUE__SQS_ENDPOINT_URL"
            )
        return cls(
            access_key=unquote(key) or None,
            secret_key=unquote(secret) or None,
            region=region or None,
            endpoint_url=endpoint_url or None,
        )

    def __str__(self) -> str:
        where = self.endpoint_url or (f"SQS in {self.region}" if self.region else "SQS")
        return f"{where} as {self.access_key}" if self.access_key else where
