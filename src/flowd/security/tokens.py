"""Access tokens: who someone is, signed, until when."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from flowd.domain.errors import InvalidInput, Unauthorised
from flowd.security.account_role import AccountRole
from flowd.security.keys import derive_keys

if TYPE_CHECKING:
    from flowd.security.jwt_codec import JwtCodec

ISSUER = "flowd"
PURPOSE = "access token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom a token speaks for, what they might do when it was issued, its own id and its end.

    `generation` is the account's when it was issued: it is void once the account has another.
    """

    username: str
    role: AccountRole
    token_id: str
    generation: int
    expires_at: datetime


class TokenSigner:
    """Issues and verifies access tokens (JWT, HS256). The first secret signs; all of them verify."""

    def __init__(self, secret_keys: Sequence[str], lifetime: timedelta) -> None:
        if not secret_keys:
            raise InvalidInput("no secret key to sign tokens with; set FLOWD__SECURITY__SECRET_KEY")
        self._keys = derive_keys(secret_keys, PURPOSE)
        self._lifetime = lifetime

    def issue(self, username: str, role: AccountRole, now: datetime, *, generation: int) -> str:
        """Return a token for this account that is good from `now` for the lifetime."""
        claims = {
            "iss": ISSUER,
            "sub": username,
            "role": role.value,
            "gen": generation,
            "jti": secrets.token_hex(16),
            "iat": int(now.timestamp()),
            "exp": int((now + self._lifetime).timestamp()),
        }
        return self._codec.encode(claims)

    def verify(self, token: str, now: datetime) -> Identity:
        """Return whom the token speaks for; raise Unauthorised for one that is forged, foreign, damaged or expired."""
        try:
            claims = self._codec.decode(token)
            identity = Identity(
                username=str(claims["sub"]),
                role=AccountRole(claims["role"]),
                token_id=str(claims["jti"]),
                generation=int(claims["gen"]),
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            )
            issuer = claims["iss"]
        except (KeyError, ValueError, TypeError, OverflowError) as error:
            raise Unauthorised("the access token is none of this cluster's; log in again") from error
        if issuer != ISSUER:
            raise Unauthorised(f"the access token is of {issuer!r}; wanted one of {ISSUER!r}")
        if now >= identity.expires_at:
            raise Unauthorised(f"the access token expired at {identity.expires_at:%Y-%m-%d %H:%M:%S} UTC; log in again")
        return identity

    @cached_property
    def _codec(self) -> "JwtCodec":
        # With the first token: what it loads would be a tenth of a node's start.
        from flowd.security.jwt_codec import JwtCodec

        return JwtCodec(self._keys)
