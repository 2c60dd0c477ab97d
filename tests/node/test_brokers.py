"""The queue of a node: the one its settings name, and no other's client."""

import subprocess
import sys

import pytest

from flowd.domain.errors import InvalidSettings
from flowd.node.brokers import make_broker_queue
from flowd.queue.amqp.backend import AmqpQueue
from flowd.queue.base import Queue
from flowd.queue.message import SigningKeys
from flowd.queue.sqs.backend import SqsQueue
from flowd.settings.model import QueueSettings

KEYS = SigningKeys.from_secrets(["a secret"])


@pytest.mark.parametrize(("url", "kind"), [("amqp://h", AmqpQueue), ("amqps://h", AmqpQueue), ("sqs://", SqsQueue)])
def test_the_url_names_the_broker(url: str, kind: type[Queue]) -> None:
    settings = QueueSettings.model_validate({"url": url})

    assert isinstance(make_broker_queue(settings, KEYS), kind)


@pytest.mark.parametrize("url", ["amqp://u:hunter2@h:0/", "sqs://KEY:hunter2@host"])
def test_a_url_that_cannot_be_read_is_a_fault_of_the_settings(url: str) -> None:
    settings = QueueSettings.model_validate({"url": url})

    with pytest.raises(InvalidSettings, match=r"^queue\.url: .* wanted ") as refusal:
        make_broker_queue(settings, KEYS)

    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(("url", "package"), [("amqp://h", "aio_pika"), ("sqs://", "aioboto3")])
def test_a_client_that_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, url: str, package: str
) -> None:
    for name in [name for name in sys.modules if name.startswith(("flowd.queue.amqp", "flowd.queue.sqs"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    settings = QueueSettings.model_validate({"url": url})

    extra = url.partition(":")[0]
    with pytest.raises(InvalidSettings, match=rf"{package} is not installed; pip install 'flowd\[{extra}\]'"):
        make_broker_queue(settings, KEYS)


def test_a_node_loads_no_client_of_a_broker_that_it_does_not_use() -> None:
    code = "import sys, flowd.node.node; print({'aio_pika', 'aioboto3', 'botocore'} & set(sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert loaded.strip() == "set()"
