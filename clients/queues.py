"""SQS. Every call blocks: use `asyncio.to_thread`."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config

from clients.settings import Settings

BATCH = 10  # the most that SQS takes in one call
ORIGINAL_ID = "OriginalMessageId"
OUR_ATTRIBUTES = ("Reason", "Detail", "BodySha256", ORIGINAL_ID)
LOOKING_SECONDS = 30  # how long a look hides messages from others, if it is not given back before
MOVING_SECONDS = 60


@dataclass(frozen=True)
class QueueMessage:
    id: str
    receipt_handle: str
    body: str


@dataclass(frozen=True)
class DeadLetter(QueueMessage):
    """`id` is that of the message when it was first sent. What SQS itself gave up on, after too many
    receives, has no reason."""

    dead_id: str
    sent_at: datetime
    attributes: dict[str, Any]

    @property
    def reason(self) -> str | None:
        return self._text("Reason")

    @property
    def detail(self) -> str | None:
        return self._text("Detail")

    def _text(self, name: str) -> str | None:
        text: str | None = self.attributes.get(name, {}).get("StringValue")
        return text


class Queue:
    """One queue and its dead letter queue `<name>-dlq`."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._sqs = boto3.client(
            "sqs",
            region_name=settings.aws_region,
            endpoint_url=settings.sqs_endpoint_url,
            config=Config(
                connect_timeout=3,
                read_timeout=settings.sqs_wait_seconds + 5,
                retries={"mode": "standard", "max_attempts": 2},
                max_pool_connections=16,
            ),
        )
        self._wait = settings.sqs_wait_seconds
        self._url = self._sqs.get_queue_url(QueueName=name)["QueueUrl"]
        self._dlq_url = self._sqs.get_queue_url(QueueName=f"{name}-dlq")["QueueUrl"]
        self.hold_seconds = settings.sqs_hold_seconds

    def receive(self) -> list[QueueMessage]:
        """Up to 10 messages, invisible to others for `hold_seconds`."""
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=self._wait,
            VisibilityTimeout=self.hold_seconds,
            MessageAttributeNames=[ORIGINAL_ID],
        )
        return [
            QueueMessage(_first_id(message), message["ReceiptHandle"], message["Body"])
            for message in answer.get("Messages", [])
        ]

    def delete(self, messages: Sequence[QueueMessage]) -> list[QueueMessage]:
        """Delete up to 10 messages; returns those that SQS refused, which come again."""
        answer = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=_entries(messages))
        return _failed(answer, messages)

    def change_visibility(self, messages: Sequence[QueueMessage], seconds: int) -> list[QueueMessage]:
        """Hide up to 10 messages for `seconds` from now; 0 gives them back. Returns those refused."""
        entries = [entry | {"VisibilityTimeout": seconds} for entry in _entries(messages)]
        answer = self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
        return _failed(answer, messages)

    def dead_letter(self, message: QueueMessage, code: str, detail: str) -> str:
        """Copy a message, unchanged and with the reason beside it, to the dead letter queue.

        Returns the copy's id.
        """
        attributes = {
            "Reason": code,
            "Detail": detail[:1000] or "-",
            ORIGINAL_ID: message.id,
            "BodySha256": hashlib.sha256(message.body.encode(errors="surrogatepass")).hexdigest(),
        }
        answer = self._sqs.send_message(
            QueueUrl=self._dlq_url,
            MessageBody=message.body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )
        return answer["MessageId"]

    def depth(self) -> tuple[int, int]:
        """How many messages wait, and how many somebody has in hand; SQS counts approximately."""
        names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        return int(answer[names[0]]), int(answer[names[1]])

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Up to `limit` messages of the dead letter queue, oldest first.

        SQS cannot be looked into: they are received and given back, and count one receive more.
        """
        found: list[DeadLetter] = []
        try:
            for batch in self._take_dead(LOOKING_SECONDS):
                found += batch
                if len(found) >= limit:
                    break
        finally:
            self._give_back(found)
        return sorted(found[:limit], key=lambda each: each.sent_at)

    def redrive(self, ids: Collection[str] | None = None) -> int:
        """Send dead letters (all, or those with these `dead_id`s) to the queue again, then delete them.

        Each goes with its own attributes and first id, so that it is the same request as before: one that had
        been accepted, or that a crash between the two leaves in both queues, is not done twice. Returns how
        many were moved.
        """
        moved, others, begin = 0, [], datetime.now(UTC)
        try:
            for batch in self._take_dead(MOVING_SECONDS):
                for letter in batch:
                    again = letter.sent_at > begin  # sent back just now, and refused again
                    if again or (ids is not None and letter.dead_id not in ids):
                        others.append(letter)
                        continue
                    self._sqs.send_message(
                        QueueUrl=self._url, MessageBody=letter.body, MessageAttributes=_original(letter)
                    )
                    self._sqs.delete_message(QueueUrl=self._dlq_url, ReceiptHandle=letter.receipt_handle)
                    moved += 1
                if moved == (len(ids) if ids is not None else None):
                    break
        finally:
            self._give_back(others)
        return moved

    def _take_dead(self, seconds: int) -> Iterator[list[DeadLetter]]:
        """Batches until one is empty, or brings only what was here before."""
        seen: set[str] = set()
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self._dlq_url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=seconds,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp"],
            )
            letters = [_dead_letter(message) for message in answer.get("Messages", [])]
            if not (new := [each for each in letters if each.dead_id not in seen]):
                return
            seen |= {each.dead_id for each in new}
            yield new

    def _give_back(self, letters: Sequence[DeadLetter]) -> None:
        for start in range(0, len(letters), BATCH):
            entries = [entry | {"VisibilityTimeout": 0} for entry in _entries(letters[start : start + BATCH])]
            self._sqs.change_message_visibility_batch(QueueUrl=self._dlq_url, Entries=entries)


def _first_id(message: Any) -> str:
    """The id that a message had before it was redriven, else its own."""
    named: str | None = message.get("MessageAttributes", {}).get(ORIGINAL_ID, {}).get("StringValue")
    return named or message["MessageId"]


def _dead_letter(message: Any) -> DeadLetter:
    system = message["Attributes"]
    return DeadLetter(
        id=_first_id(message),
        receipt_handle=message["ReceiptHandle"],
        body=message["Body"],
        dead_id=message["MessageId"],
        sent_at=datetime.fromtimestamp(int(system["SentTimestamp"]) / 1000, UTC),
        attributes=message.get("MessageAttributes", {}),
    )


def _original(letter: DeadLetter) -> dict[str, Any]:
    """The attributes it was first sent with, and its first id."""
    given = {
        name: {
            key: value
            for key, value in attribute.items()
            if key in ("DataType", "StringValue", "BinaryValue")
        }
        for name, attribute in letter.attributes.items()
        if name not in OUR_ATTRIBUTES
    }
    return given | {ORIGINAL_ID: {"DataType": "String", "StringValue": letter.id}}


def _entries(messages: Sequence[QueueMessage]) -> list[Any]:
    return [
        {"Id": str(index), "ReceiptHandle": message.receipt_handle} for index, message in enumerate(messages)
    ]


def _failed(answer: Any, messages: Sequence[QueueMessage]) -> list[QueueMessage]:
    return [messages[int(entry["Id"])] for entry in answer.get("Failed", [])]
