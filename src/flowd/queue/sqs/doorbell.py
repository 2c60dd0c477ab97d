"""The doorbell over SQS: a queue whose messages are kept for a minute, each ring heard by one scheduler."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from flowd.domain.ids import RunKey
from flowd.queue.coalesced import Coalesced
from flowd.queue.doorbell import RING_SECONDS, Bell, Door
from flowd.queue.rings import run_keys
from flowd.queue.sqs.client import (
    ANSWER_SECONDS,
    LONGEST_WAIT_SECONDS,
    NoSuchQueue,
    SqsClient,
    SqsUnavailable,
)
from flowd.queue.sqs.topology import Topology

KEYS_PER_RING = 10_000
HIDDEN_SECONDS = 5
"""For so long a ring is one scheduler's; it is deleted at once, or rings a second time."""


class SqsBell(Bell):
    """Rings are dropped where SQS is away, or no scheduler has ever listened."""

    def __init__(self, client: SqsClient, topology: Topology) -> None:
        super().__init__()
        self._client = client
        self._topology = topology

    async def _ring_once(self, keys: Sequence[RunKey]) -> None:
        with suppress(SqsUnavailable, TimeoutError):
            async with asyncio.timeout(RING_SECONDS):
                await self._send(keys)

    async def _send(self, keys: Sequence[RunKey]) -> None:
        url = await self._topology.find(self._topology.doorbell)
        if url is None:
            return
        try:
            for start in range(0, len(keys), KEYS_PER_RING):
                body = json.dumps(keys[start : start + KEYS_PER_RING])
                await self._client.call("send_message", QueueUrl=url, MessageBody=body)
        except NoSuchQueue:
            self._topology.forget(self._topology.doorbell)


class SqsDoor(Door):
    """One long poll of the doorbell's queue after the other."""

    def __init__(self, client: SqsClient, topology: Topology) -> None:
        self._client = client
        self._topology = topology

    async def _listen_once(self, heard: Coalesced[RunKey], is_listening: asyncio.Event) -> None:
        url = await self._topology.url(self._topology.doorbell)
        is_listening.set()
        try:
            await self._poll(heard, url)
        except NoSuchQueue:
            self._topology.forget(self._topology.doorbell)
            raise

    async def _poll(self, heard: Coalesced[RunKey], url: str) -> None:
        answer = await self._client.call(
            "receive_message",
            seconds=LONGEST_WAIT_SECONDS + ANSWER_SECONDS,
            QueueUrl=url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=LONGEST_WAIT_SECONDS,
            VisibilityTimeout=HIDDEN_SECONDS,
        )
        messages: Sequence[Mapping[str, Any]] = answer.get("Messages", ())
        for message in messages:
            heard.add(run_keys(message["Body"].encode("utf-8", "surrogatepass")))
        if messages:
            entries = [{"Id": str(index), "ReceiptHandle": one["ReceiptHandle"]} for index, one in enumerate(messages)]
            await self._client.call("delete_message_batch", QueueUrl=url, Entries=entries)
