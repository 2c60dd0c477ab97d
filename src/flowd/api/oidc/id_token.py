"""ID tokens: what a provider says of somebody, and whether to believe it (OpenID Connect Core 1.0, 3.1.3.7)."""

import hmac
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from flowd.domain.errors import Unauthorised

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures with a provider's private key alone: never `none`, nor one that its public key could forge."""

LEEWAY_SECONDS = 60


class UnknownKey(Exception):
    """The token names a key that is not in the set: the provider may have new ones."""


def read_id_token(
    token: str, keys: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str, now_seconds: float
) -> Mapping[str, Any]:
    """Return the claims of an ID token that one of `keys` (a JWK set) has signed, for this client and this login.

    Raises Unauthorised, saying which of it is not as wanted; UnknownKey where the token's key is not in the set.
    """
    try:
        claims = jwt.decode(token, KeySet.import_key_set({"keys": keys["keys"]}), algorithms=ALGORITHMS).claims
    except InvalidKeyIdError as error:
        raise UnknownKey(str(error)) from error
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise Unauthorised(f"the ID token is not signed by the provider's keys ({error})") from error
    _check(claims.get("iss") == issuer, "iss", claims.get("iss"), issuer)
    _check_audience(claims, client_id)
    _check_times(claims, now_seconds)
    found = claims.get("nonce")
    if not isinstance(found, str) or not hmac.compare_digest(found.encode("utf-8", "replace"), nonce.encode()):
        raise Unauthorised("the ID token is of another login than this: its nonce is not the one that was sent")
    _check(isinstance(claims.get("sub"), str) and claims["sub"] != "", "sub", claims.get("sub"), "a person's id")
    return claims


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    _check(client_id in audiences, "aud", audience, client_id)
    if len(audiences) > 1 or "azp" in claims:
        _check(claims.get("azp") == client_id, "azp", claims.get("azp"), client_id)


def _check_times(claims: Mapping[str, Any], now_seconds: float) -> None:
    end, begin = claims.get("exp"), claims.get("iat")
    is_of_now = (
        isinstance(end, int | float)
        and isinstance(begin, int | float)
        and begin - LEEWAY_SECONDS <= now_seconds <= end + LEEWAY_SECONDS
    )
    if not is_of_now:
        raise Unauthorised(
            f"the ID token is not of now: its iat is {begin!r} and its exp {end!r}, and this node's clock says"
            f" {now_seconds:.0f}; compare the clocks"
        )


def _check(is_right: bool, claim: str, found: Any, wanted: str) -> None:
    if not is_right:
        raise Unauthorised(f"the ID token's {claim} is {found!r}; wanted {wanted!r}")
