"""Broker URLs: several hosts, options, and passwords that stay where they are."""

import pytest

from flowd.domain.errors import InvalidInput
from flowd.queue.broker_url import BrokerUrl, redact


def attempts(url: str) -> list[str]:
    return list(BrokerUrl.parse(url, heartbeat_seconds=15).attempts)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://h", ["amqp://h:5672/?heartbeat=15"]),
        ("amqps://u:p@h/", ["amqps://u:p@h:5671/?heartbeat=15"]),
        ("amqp://u:p@h:1,i,j:3/v", [f"amqp://u:p@{host}/v?heartbeat=15" for host in ("h:1", "i:5672", "j:3")]),
        (
            "amqp://u:p%40%2F@[::1]:7/%2Fv?heartbeat=3&cafile=/a",
            ["amqp://u:p%40%2F@[::1]:7/%2Fv?heartbeat=3&cafile=%2Fa"],
        ),
    ],
)
def test_every_host_of_a_url_becomes_an_attempt(url: str, expected: list[str]) -> None:
    assert attempts(url) == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://u:hunter2@h/", "the scheme is 'redis'"),
        ("amqp://u:hunter2@/v", "'' is no host"),
        ("amqp://u:hunter2@h:0/v", "'h:0' is no host"),
        ("amqp://u:hunter2@h:99999/v", "'h:99999' is no host"),
        ("amqp://u:hunter2@h,,i/v", "'' is no host"),
        ("amqp://u:hunter2/x@h/v", "must be percent-encoded"),
        ("amqp://u:hunter2#x@h/v", "must be percent-encoded"),
        ("amqp://u:hunter2?x@h/v", "must be percent-encoded"),
        ("amqp://u:hunter2", "'u:***' is no host"),
        ("amqp:/u:hunter2@h", "must be percent-encoded"),
        ("amqp://u/x:hunter2@h", "must be percent-encoded"),
        ("hunter2", "the scheme is ''"),
    ],
)
def test_a_url_that_names_no_broker_is_refused_with_the_reason_and_without_its_password(url: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        BrokerUrl.parse(url, heartbeat_seconds=15)

    assert reason in str(refusal.value)
    assert "amqp://user:password@host1:5672,host2:5672/vhost" in str(refusal.value)
    assert "hunter2" not in str(refusal.value) or url == "hunter2"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://u:p@h:1/v", "amqp://u:***@h:1/v"),
        ("amqp://u:p@ss@h", "amqp://u:***@h"),
        ("amqp://u:p/a?s#s@h", "amqp://u:***@h"),
        ("amqp://u:p:w@h1,h2:7/v", "amqp://u:***@h1,h2:7/v"),
        ("amqp://:p@h", "amqp://:***@h"),
        ("sqs://KEY:SECRET@", "sqs://KEY:***@"),
        ("sqs://KEY:SEC/RET", "sqs://KEY:***"),
        ("sqs:KEY:SECRET@", "sqs:KEY:***@"),
        ("sqs://K/EY:SECRET@", "sqs://K/EY:***@"),
        (" amqp://u:p@h", " amqp://u:***@h"),
        ("amqp://u:12p/v", "amqp://u:***"),
        ("amqp://u@h", "amqp://u@h"),
        ("amqp://h:1,i:2/v", "amqp://h:1,i:2/v"),
        ("amqp://[::1]:7/v", "amqp://[::1]:7/v"),
        ("amqp://h:5672/v", "amqp://h:5672/v"),
        ("database://", "database://"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_a_parsed_url_shows_no_password() -> None:
    url = BrokerUrl.parse("amqp://u:hunter2@h/", heartbeat_seconds=15)

    assert "hunter2" not in f"{url} {url!r}"
    assert str(url) == "amqp://u:***@h/"
