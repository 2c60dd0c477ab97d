"""Intent: what a login through a provider began with, kept by the browser until it comes back."""

import hmac
import json
import secrets
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Self

from flowd.domain.errors import Unauthorised
from flowd.security.vault import Sealed, Vault

COOKIE = "flowd_oidc"
LIFETIME = timedelta(minutes=10)
"""How long somebody may take to log in at the provider."""

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Three secrets of one login, and where it leads. Whoever has not begun it cannot end it."""

    state: str
    nonce: str
    verifier: str
    next: str
    began_seconds: float

    @classmethod
    def begin(cls, next: str, now_seconds: float) -> Self:
        """Return a new one, at this moment of the wall clock."""
        state, nonce, verifier = (secrets.token_urlsafe(_SECRET_BYTES) for _ in range(3))
        return cls(state=state, nonce=nonce, verifier=verifier, next=next, began_seconds=now_seconds)

    @property
    def challenge(self) -> str:
        """The hash of the verifier, which the provider is told at first (RFC 7636, S256)."""
        return urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    def seal(self, vault: Vault) -> str:
        """Return it as text that only this cluster can make or read."""
        return vault.encrypt(json.dumps(asdict(self)))

    @classmethod
    def unseal(cls, sealed: str | None, vault: Vault, state: str, now_seconds: float) -> Self:
        """Return the intent of this state; raise Unauthorised where there is none, it is another, or it is too old."""
        try:
            intent = cls(**json.loads(vault.decrypt(sealed or "", "the login")))
        except (Sealed, ValueError, TypeError) as error:
            raise Unauthorised("this browser has begun no login, or has no cookies; begin anew") from error
        if not hmac.compare_digest(intent.state.encode(), state.encode("utf-8", "replace")):
            raise Unauthorised("the answer belongs to another login than the one that this browser began; begin anew")
        if not 0 <= now_seconds - intent.began_seconds <= LIFETIME.total_seconds():
            raise Unauthorised(f"the login took longer than {LIFETIME.total_seconds() / 60:.0f} minutes; begin anew")
        return intent
