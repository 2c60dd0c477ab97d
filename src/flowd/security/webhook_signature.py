"""Signatures of webhooks: whether a delivery is its sender's, is no replay, and by which id its repeats are known.

Three ways to sign, all HMAC-SHA256: Standard Webhooks (over id, timestamp and body), Stripe's (over timestamp and body)
and GitHub's (over the body).
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from flowd.domain.errors import InvalidInput, Unauthorised

PREFIX = "whsec_"
"""How secrets begin, so that scanners of repositories find one that was left there."""

SECRET_BYTES = 32
SHORTEST_SECRET = 16
WINDOW = timedelta(minutes=5)
"""How far the timestamp of a delivery may be from our clock."""

_MOST_SIGNATURES = 10


class Scheme(StrEnum):
    """How a sender signs."""

    STANDARD = "standard"
    STRIPE = "stripe"
    GITHUB = "github"


def new_secret() -> str:
    """Return 256 random bits, as Standard Webhooks writes them."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def check_secret(scheme: Scheme, secret: str) -> None:
    """Raise InvalidInput, without the secret, for one that was given and cannot be used."""
    if len(secret) < SHORTEST_SECRET:
        raise InvalidInput(f"the secret has {len(secret)} characters; wanted {SHORTEST_SECRET} or more")
    try:
        _key(scheme, secret)
    except ValueError:
        raise InvalidInput(f"the secret is not as Standard Webhooks has it; wanted {PREFIX} and base64") from None


def verify(scheme: Scheme, keys: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """Return the id of a delivery that was signed with one of these secrets; raise Unauthorised for any other.

    The id is part of what was signed: nobody can send the same again under another one.
    """
    match scheme:
        case Scheme.STANDARD:
            return _verify_standard(keys, headers, body, now)
        case Scheme.STRIPE:
            return _verify_stripe(keys, headers, body, now)
        case Scheme.GITHUB:
            return _verify_github(keys, headers, body)


def sign_standard(secret: str, delivery: str, moment: datetime, body: bytes) -> dict[str, str]:
    """Return the headers that Standard Webhooks sends with a body."""
    stamp = str(int(moment.timestamp()))
    digest = _digest(Scheme.STANDARD, secret, f"{delivery}.{stamp}.".encode() + body)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": delivery, "webhook-timestamp": stamp, "webhook-signature": signature}


def _verify_standard(keys: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    delivery, stamp = _header(headers, "webhook-id"), _header(headers, "webhook-timestamp")
    _check_moment(stamp, now)
    signed = f"{delivery}.{stamp}.".encode() + body
    given = [one.removeprefix("v1,") for one in _header(headers, "webhook-signature").split() if one.startswith("v1,")]
    _check(Scheme.STANDARD, keys, signed, given, lambda digest: base64.b64encode(digest).decode())
    return delivery


def _verify_stripe(keys: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    parts = [one.strip().partition("=") for one in _header(headers, "stripe-signature").split(",")]
    stamp = next((value for name, _, value in parts if name == "t"), "")
    _check_moment(stamp, now)
    given = [value for name, _, value in parts if name == "v1"]
    _check(Scheme.STRIPE, keys, f"{stamp}.".encode() + body, given, bytes.hex)
    # Stripe signs each attempt anew: what its attempts have in common is the id of the event.
    return _id_in(body) or hashlib.sha256(body).hexdigest()


def _verify_github(keys: Sequence[str], headers: Mapping[str, str], body: bytes) -> str:
    scheme, _, signature = _header(headers, "x-hub-signature-256").partition("=")
    _check(Scheme.GITHUB, keys, body, [signature] if scheme == "sha256" else [], bytes.hex)
    # Its X-GitHub-Delivery is not signed, and there is no timestamp: the same body is the same delivery for ever.
    return hashlib.sha256(body).hexdigest()


def _check(
    scheme: Scheme, keys: Iterable[str], signed: bytes, given: Sequence[str], written: Callable[[bytes], str]
) -> None:
    expected = [written(_digest(scheme, key, signed)).encode() for key in keys]
    # All are compared, so that the time tells nothing of which.
    matches = [
        hmac.compare_digest(one.encode("utf-8", "replace"), right)
        for one in given[:_MOST_SIGNATURES]
        for right in expected
    ]
    if not any(matches):
        raise Unauthorised("the signature of the delivery is not the webhook's")


def _check_moment(stamp: str, now: datetime) -> None:
    try:
        moment = datetime.fromtimestamp(int(stamp), UTC)
    except (ValueError, OverflowError, OSError):
        raise Unauthorised("the timestamp of the delivery is no number of seconds since 1970") from None
    if abs(now - moment) > WINDOW:
        raise Unauthorised(f"the delivery was signed more than {WINDOW.total_seconds():.0f} seconds from now")


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise Unauthorised(f"the delivery has no {name} header")
    return value


def _digest(scheme: Scheme, secret: str, signed: bytes) -> bytes:
    return hmac.digest(_key(scheme, secret), signed, "sha256")


def _key(scheme: Scheme, secret: str) -> bytes:
    if scheme is Scheme.STANDARD:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return secret.encode()


def _id_in(body: bytes) -> str | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = document.get("id") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None
