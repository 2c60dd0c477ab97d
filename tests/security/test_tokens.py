"""Access tokens: who someone is, signed, until when."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from flowd.domain.errors import InvalidInput, Unauthorised
from flowd.security.account_role import AccountRole
from flowd.security.keys import derive_keys
from flowd.security.tokens import PURPOSE, TokenSigner

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OLD, NEW = "the old secret of the cluster", "the new secret of the cluster"


def test_a_token_says_who_it_is_of_until_it_expires() -> None:
    signer = TokenSigner([OLD], HOUR)

    token = signer.issue("ada", AccountRole.OP, NOW, generation=7)
    identity = signer.verify(token, NOW + HOUR - timedelta(seconds=1))

    assert (identity.username, identity.role, identity.generation) == ("ada", AccountRole.OP, 7)
    assert identity.expires_at == NOW + HOUR
    with pytest.raises(Unauthorised, match="expired at 2026-11-22 13:00:00 UTC"):
        signer.verify(token, NOW + HOUR)


def test_no_two_tokens_are_the_same() -> None:
    signer = TokenSigner([OLD], HOUR)
    tokens = [signer.issue("ada", AccountRole.OP, NOW, generation=7) for _ in range(2)]

    assert len({signer.verify(token, NOW).token_id for token in tokens}) == 2


def test_secrets_are_rotated_without_logging_anyone_out() -> None:
    before, during, after = TokenSigner([OLD], HOUR), TokenSigner([NEW, OLD], HOUR), TokenSigner([NEW], HOUR)
    old, new = (signer.issue("ada", AccountRole.OP, NOW, generation=7) for signer in (before, during))

    assert during.verify(old, NOW).username == "ada"
    assert after.verify(new, NOW).username == "ada"
    with pytest.raises(Unauthorised):
        after.verify(old, NOW)


def encoded(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def forged() -> dict[str, str]:
    token = TokenSigner([OLD], HOUR).issue("ada", AccountRole.VIEWER, NOW, generation=7)
    header, claims, signature = token.split(".")
    (key,) = derive_keys([OLD], PURPOSE)
    admin = encoded({"iss": "flowd", "sub": "ada", "role": "Admin", "jti": "1", "exp": 2**40})
    bare = {"kid": key.id, "alg": "none"}
    ours = OctKey.import_key(key.key)
    signed = {"alg": "HS256", "kid": key.id}
    return {
        "nothing": "",
        "no token": "not a token",
        "another's claims": f"{header}.{admin}.{signature}",
        "no signature": f"{header}.{claims}.",
        "an algorithm that signs nothing": f"{encoded(bare)}.{admin}.",
        "no key": f"{encoded({'alg': 'HS256'})}.{claims}.{signature}",
        "a key that is a list": f"{encoded({'alg': 'HS256', 'kid': ['x']})}.{claims}.{signature}",
        "other issuer": jwt.encode(signed, {"iss": "other", "sub": "a", "role": "Op", "jti": "1", "exp": 2**40}, ours),
        "an unknown role": jwt.encode(signed, {"iss": "flowd", "sub": "a", "role": "God", "jti": "1", "exp": 9}, ours),
        "no end": jwt.encode(signed, {"iss": "flowd", "sub": "a", "role": "Op", "jti": "1"}, ours),
        "an end that is no time": jwt.encode(signed, {"sub": "a", "role": "Op", "jti": "1", "exp": "soon"}, ours),
    }


@pytest.mark.parametrize("token", forged().values(), ids=forged())
def test_a_token_that_is_forged_or_damaged_is_refused(token: str) -> None:
    with pytest.raises(Unauthorised):
        TokenSigner([OLD], HOUR).verify(token, NOW)


def test_there_is_no_signing_without_a_secret() -> None:
    with pytest.raises(InvalidInput, match="FLOWD__SECURITY__SECRET_KEY"):
        TokenSigner([], HOUR)
