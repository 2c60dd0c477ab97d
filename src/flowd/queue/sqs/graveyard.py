"""SqsGraveyard: the dead letters at SQS, looked at, sent back and discarded."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flowd.queue.base import MOST_DEAD_LETTERS, DeadLetter, dead_letter_id
from flowd.queue.message import SigningKeys, queue_of
from flowd.queue.sqs.client import ANSWER_SECONDS, SqsClient
from flowd.queue.sqs.publisher import MOST_MESSAGES, Letter, Publisher
from flowd.queue.sqs.topology import Topology

HELD = timedelta(seconds=30)
"""How long what is looked at is hidden from others, should nobody give it back."""

LOOK_SECONDS = 1
"""A poll that waits asks all of SQS's servers; one that does not may miss what is there."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A dead letter in hand: the right to delete it, and its text."""

    receipt: str
    text: str
    letter: DeadLetter


class SqsGraveyard:
    """What is in the queue for dead letters."""

    def __init__(self, client: SqsClient, topology: Topology, publisher: Publisher, keys: SigningKeys) -> None:
        self._client = client
        self._topology = topology
        self._publisher = publisher
        self._keys = keys

    async def look(self, limit: int) -> Sequence[DeadLetter]:
        """Return some dead letters, the oldest as far as SQS keeps an order."""
        url = await self._topology.find(self._topology.dead)
        if url is None:
            return []
        taken = await self._take(url, min(limit, MOST_DEAD_LETTERS))
        await self._give_back(url, taken)
        return [one.letter for one in taken]

    async def send_back(self, ids: Collection[str]) -> Collection[str]:
        """Send those with these ids to where they came from."""
        return await self._settle(ids, is_sent_back=True)

    async def discard(self, ids: Collection[str]) -> Collection[str]:
        """Remove those with these ids."""
        return await self._settle(ids, is_sent_back=False)

    async def _settle(self, ids: Collection[str], *, is_sent_back: bool) -> Collection[str]:
        url = await self._topology.find(self._topology.dead)
        if url is None:
            return []
        taken = await self._take(url, MOST_DEAD_LETTERS)
        over: list[Taken] = []
        try:
            meant = [one for one in taken if one.letter.id in ids]
            over = await self._sent(meant) if is_sent_back else meant
            await self._batches("delete_message_batch", url, over)
        finally:
            await self._give_back(url, [one for one in taken if one not in over])
        return {one.letter.id for one in over}

    async def _sent(self, taken: Sequence[Taken]) -> list[Taken]:
        known = [one for one in taken if one.letter.queue is not None]
        letters = [Letter(queue=self._topology.tasks(one.letter.queue or ""), body=one.text) for one in known]
        confirmed = await self._publisher.publish(letters)
        return [one for one, is_safe in zip(known, confirmed, strict=True) if is_safe]

    async def _take(self, url: str, limit: int) -> list[Taken]:
        taken: list[Taken] = []
        while len(taken) < limit:
            answer = await self._client.call(
                "receive_message",
                seconds=LOOK_SECONDS + ANSWER_SECONDS,
                QueueUrl=url,
                MaxNumberOfMessages=min(MOST_MESSAGES, limit - len(taken)),
                VisibilityTimeout=round(HELD.total_seconds()),
                WaitTimeSeconds=LOOK_SECONDS,
                MessageAttributeNames=["All"],
            )
            messages = answer.get("Messages", ())
            if not messages:
                break
            taken += [self._read(message) for message in messages]
        return taken

    def _read(self, message: Mapping[str, Any]) -> Taken:
        told = {name: value.get("StringValue") for name, value in message.get("MessageAttributes", {}).items()}
        body = message["Body"].encode("utf-8", "surrogatepass")
        # What SQS buried by itself, for it came too often, has no word of ours; but it is signed.
        queue = told.get("queue") or queue_of(body, self._keys)
        letter = DeadLetter(id=dead_letter_id(body), body=body, queue=queue, reason=told.get("reason"))
        return Taken(message["ReceiptHandle"], message["Body"], letter)

    async def _give_back(self, url: str, taken: Sequence[Taken]) -> None:
        await self._batches("change_message_visibility_batch", url, taken, VisibilityTimeout=0)

    async def _batches(self, operation: str, url: str, taken: Sequence[Taken], **how: Any) -> None:
        for start in range(0, len(taken), MOST_MESSAGES):
            entries = [
                {"Id": str(place), "ReceiptHandle": one.receipt, **how}
                for place, one in enumerate(taken[start : start + MOST_MESSAGES])
            ]
            await self._client.call(operation, QueueUrl=url, Entries=entries)
