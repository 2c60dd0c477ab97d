"""Sessions: cookies that say who logged in, signed, so that any node behind a load balancer can read them."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flowd.domain.errors import Unauthorised
from flowd.security.keys import derive_keys

COOKIE = "flowd_session"
PURPOSE = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is logged in, until when, and the token that their forms must carry."""

    username: str
    expires_at: datetime
    csrf_token: str


class Sessions:
    """Makes and reads session cookies. The first secret signs; all of them verify."""

    def __init__(self, secret_keys: Sequence[str], lifetime: timedelta) -> None:
        self._keys = derive_keys(secret_keys, PURPOSE)
        self.lifetime = lifetime

    def begin(self, username: str, now: datetime) -> str:
        """Return the value of a new session's cookie."""
        expires = int((now + self.lifetime).timestamp())
        payload = {"user": username, "until": expires, "nonce": secrets.token_hex(16)}
        body = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode()
        return f"{body}.{_mac(self._keys[0].key, body)}"

    def read(self, cookie: str, now: datetime) -> Session:
        """Return the session of a cookie; raise Unauthorised for one that is forged, damaged or over."""
        body, _, signature = cookie.partition(".")
        key = next((one.key for one in self._keys if hmac.compare_digest(_mac(one.key, body), signature)), None)
        if key is None:
            raise Unauthorised("the session is none of this cluster's; log in again")
        payload = json.loads(base64.urlsafe_b64decode(body))
        expires_at = datetime.fromtimestamp(payload["until"], UTC)
        if now >= expires_at:
            raise Unauthorised("the session is over; log in again")
        return Session(username=payload["user"], expires_at=expires_at, csrf_token=_mac(key, f"csrf {body}"))


def _mac(key: bytes, text: str) -> str:
    # Cookies are latin-1 on the wire: a stray byte must make a mismatch, not an error.
    return hmac.new(key, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
