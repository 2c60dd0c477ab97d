"""Access tokens: who someone is, signed, until when."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from flowd.domain.errors import InvalidInput, Unauthorised
from flowd.security.account_role import AccountRole
from flowd.security.keys import derive_keys

ALGORITHM = "HS256"
ISSUER = "flowd"
PURPOSE = "access token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom a token speaks for, what they might do when it was issued, its own id and its end."""

    username: str
    role: AccountRole
    token_id: str
    expires_at: datetime


class TokenSigner:
    """Issues and verifies access tokens (JWT, HS256). The first secret signs; all of them verify."""

    def __init__(self, secret_keys: Sequence[str], lifetime: timedelta) -> None:
        if not secret_keys:
            raise InvalidInput("no secret key to sign tokens with; set FLOWD__SECURITY__SECRET_KEY")
        derived = derive_keys(secret_keys, PURPOSE)
        self._keys = {one.id: OctKey.import_key(one.key) for one in derived}
        self._signing_id = derived[0].id
        self._lifetime = lifetime

    def issue(self, username: str, role: AccountRole, now: datetime) -> str:
        """Return a token for this account that is good from `now` for the lifetime."""
        claims = {
            "iss": ISSUER,
            "sub": username,
            "role": role.value,
            "jti": secrets.token_hex(16),
            "iat": int(now.timestamp()),
            "exp": int((now + self._lifetime).timestamp()),
        }
        return jwt.encode({"alg": ALGORITHM, "kid": self._signing_id}, claims, self._keys[self._signing_id])

    def verify(self, token: str, now: datetime) -> Identity:
        """Return whom the token speaks for; raise Unauthorised for one that is forged, foreign, damaged or expired."""
        try:
            claims = jwt.decode(token, self._key_for, algorithms=[ALGORITHM]).claims
            identity = Identity(
                username=str(claims["sub"]),
                role=AccountRole(claims["role"]),
                token_id=str(claims["jti"]),
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            )
            issuer = claims["iss"]
        except (JoseError, KeyError, ValueError, TypeError, OverflowError) as error:
            raise Unauthorised("the access token is none of this cluster's; log in again") from error
        if issuer != ISSUER:
            raise Unauthorised(f"the access token is of {issuer!r}; wanted one of {ISSUER!r}")
        if now >= identity.expires_at:
            raise Unauthorised(f"the access token expired at {identity.expires_at:%Y-%m-%d %H:%M:%S} UTC; log in again")
        return identity

    def _key_for(self, signed: Any) -> OctKey:
        return self._keys[signed.headers()["kid"]]
