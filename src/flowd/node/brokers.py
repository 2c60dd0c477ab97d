"""Brokers: the queue of a node that is configured with one, and nothing loaded for those that it is not."""

from flowd.domain.errors import InvalidInput, InvalidSettings
from flowd.queue.base import Queue
from flowd.queue.message import SigningKeys
from flowd.settings.model import QueueSettings


def make_broker_queue(settings: QueueSettings, keys: SigningKeys) -> Queue:
    """Return the queue that `settings.url` names, not opened yet; raise InvalidSettings where it cannot be read."""
    kind, make = ("sqs", _sqs) if settings.is_sqs else ("amqp", _amqp)
    try:
        return make(settings, keys)
    except InvalidInput as error:
        raise InvalidSettings(f"queue.url: {error}") from error
    except ModuleNotFoundError as error:
        raise InvalidSettings(
            f"queue.url begins with {kind}://, and {error.name} is not installed; pip install 'flowd[{kind}]'"
        ) from error


def _amqp(settings: QueueSettings, keys: SigningKeys) -> Queue:
    from flowd.queue.amqp.backend import AmqpQueue

    return AmqpQueue(settings.url.get_secret_value(), keys, prefix=settings.prefix, limit_bytes=settings.message_limit)


def _sqs(settings: QueueSettings, keys: SigningKeys) -> Queue:
    from flowd.queue.sqs.address import SqsAddress
    from flowd.queue.sqs.backend import SqsQueue

    address = SqsAddress.parse(
        settings.url.get_secret_value(), region=settings.sqs_region, endpoint_url=settings.sqs_endpoint_url
    )
    return SqsQueue(address, keys, prefix=settings.prefix, limit_bytes=settings.message_limit)
