"""JwtCodec: JSON Web Tokens (RFC 7519) signed with HMAC-SHA256, over joserfc."""

from collections.abc import Mapping, Sequence
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from flowd.security.keys import PurposeKey

ALGORITHM = "HS256"


class JwtCodec:
    """The first key signs; all of them verify, told apart by the `kid` of a token's header."""

    def __init__(self, keys: Sequence[PurposeKey]) -> None:
        self._keys = {one.id: OctKey.import_key(one.key) for one in keys}
        self._signing_id = keys[0].id

    def encode(self, claims: Mapping[str, Any]) -> str:
        """Return the signed token."""
        return jwt.encode({"alg": ALGORITHM, "kid": self._signing_id}, dict(claims), self._keys[self._signing_id])

    def decode(self, token: str) -> Mapping[str, Any]:
        """Return the claims; raise ValueError for a token that is forged, foreign or damaged."""
        try:
            return jwt.decode(token, self._key_for, algorithms=[ALGORITHM]).claims
        except (JoseError, KeyError, TypeError) as error:
            raise ValueError(f"no token of ours: {error}") from error

    def _key_for(self, signed: Any) -> OctKey:
        return self._keys[signed.headers()["kid"]]
