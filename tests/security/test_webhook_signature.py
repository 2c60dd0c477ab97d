"""Signatures of webhooks: the senders' own examples, and whatever was altered, late or foreign."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from starlette.datastructures import Headers

from flowd.domain.errors import InvalidInput, Unauthorised
from flowd.security.webhook_signature import WINDOW, Scheme, check_secret, new_secret, sign_standard, verify

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET, FOREIGN = new_secret(), new_secret()
BODY = b'{"id": "evt_1", "rows": 3}'


def stripe(secret: str, moment: datetime, body: bytes) -> dict[str, str]:
    stamp = int(moment.timestamp())
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},v1={digest},v0=old"}


def github(secret: str, body: bytes) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"}


def signed(scheme: Scheme, secret: str = SECRET, moment: datetime = NOW, body: bytes = BODY) -> Mapping[str, str]:
    match scheme:
        case Scheme.STANDARD:
            return Headers(sign_standard(secret, "msg_1", moment, body))
        case Scheme.STRIPE:
            return Headers(stripe(secret, moment, body))
        case Scheme.GITHUB:
            return Headers(github(secret, body))


def test_the_example_of_standard_webhooks_is_taken() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    key, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'

    found = verify(Scheme.STANDARD, [key], headers, body, datetime.fromtimestamp(1614265330, UTC))

    assert found == "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_the_example_of_github_is_taken() -> None:
    headers = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}

    assert verify(Scheme.GITHUB, ["It's a Secret to Everybody"], headers, b"Hello, World!", NOW)


@pytest.mark.parametrize("scheme", list(Scheme))
def test_a_delivery_is_known_by_what_was_signed(scheme: Scheme) -> None:
    first = verify(scheme, [SECRET], signed(scheme), BODY, NOW)
    later = verify(scheme, ["another secret of nobody", SECRET][1:], signed(scheme, moment=NOW + WINDOW), BODY, NOW)
    other = verify(scheme, [SECRET], signed(scheme, body=b"{}"), b"{}", NOW)

    assert first == later
    assert (first == other) is (scheme is Scheme.STANDARD)
    assert first == {Scheme.STANDARD: "msg_1", Scheme.STRIPE: "evt_1"}.get(scheme, hashlib.sha256(BODY).hexdigest())


@pytest.mark.parametrize("scheme", list(Scheme))
def test_any_of_the_secrets_will_do(scheme: Scheme) -> None:
    assert verify(scheme, [new_secret(), SECRET], signed(scheme), BODY, NOW)


@pytest.mark.parametrize("scheme", list(Scheme))
@pytest.mark.parametrize(("secret", "body"), [(SECRET, BODY + b" "), (FOREIGN, BODY)], ids=["altered", "foreign"])
def test_an_altered_body_and_a_foreign_secret_are_refused(scheme: Scheme, secret: str, body: bytes) -> None:
    with pytest.raises(Unauthorised, match="signature"):
        verify(scheme, [SECRET], signed(scheme, secret), body, NOW)


@pytest.mark.parametrize("scheme", [Scheme.STANDARD, Scheme.STRIPE])
@pytest.mark.parametrize("away", [WINDOW + timedelta(seconds=1), -WINDOW - timedelta(seconds=1)])
def test_what_was_signed_long_ago_or_is_yet_to_be_is_refused(scheme: Scheme, away: timedelta) -> None:
    with pytest.raises(Unauthorised, match="more than 300 seconds from now"):
        verify(scheme, [SECRET], signed(scheme, moment=NOW + away), BODY, NOW)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_neither_id_nor_timestamp_can_be_altered(name: str) -> None:
    headers = dict(signed(Scheme.STANDARD)) | {name: str(int(NOW.timestamp()) + 1)}

    with pytest.raises(Unauthorised, match="signature"):
        verify(Scheme.STANDARD, [SECRET], headers, BODY, NOW)


@pytest.mark.parametrize(
    ("scheme", "headers"),
    [
        (Scheme.STANDARD, {}),
        (Scheme.STANDARD, {"webhook-id": "a", "webhook-timestamp": "é", "webhook-signature": "v1,x"}),
        (Scheme.STANDARD, {"webhook-id": "a", "webhook-timestamp": "9" * 30, "webhook-signature": "v1,x"}),
        (Scheme.STANDARD, dict(signed(Scheme.STANDARD)) | {"webhook-signature": "v2,abc"}),
        (Scheme.STANDARD, dict(signed(Scheme.STANDARD)) | {"webhook-signature": "v1,é"}),
        (Scheme.STRIPE, {"stripe-signature": "v1=abc"}),
        (Scheme.STRIPE, {"stripe-signature": f"t={int(NOW.timestamp())}"}),
        (Scheme.GITHUB, {"x-hub-signature-256": "sha1=abc"}),
        (Scheme.GITHUB, {"x-hub-signature-256": "sha256="}),
    ],
)
def test_headers_that_are_not_as_wanted_are_refused(scheme: Scheme, headers: Mapping[str, str]) -> None:
    with pytest.raises(Unauthorised):
        verify(scheme, [SECRET], headers, BODY, NOW)


def test_a_secret_that_cannot_be_used_is_refused_without_being_told() -> None:
    for scheme in Scheme:
        check_secret(scheme, new_secret())
    check_secret(Scheme.GITHUB, "any sixteen or more")
    assert len(base64.b64decode(new_secret().removeprefix("whsec_"))) == 32

    with pytest.raises(InvalidInput, match="wanted 16 or more"):
        check_secret(Scheme.GITHUB, "short")
    with pytest.raises(InvalidInput, match="wanted whsec_ and base64") as error:
        check_secret(Scheme.STANDARD, "whsec_not base64 at all!")
    assert "not base64" not in str(error.value)
