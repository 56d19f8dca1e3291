"""SQS. Every call blocks: use `asyncio.to_thread`."""

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from clients.settings import Settings
from clients.stored_bodies import BodyGone, BodyLocked, StoredBodies, is_stub

BATCH = 10  # the most that SQS takes in one call
RECEIVES = 100  # `maxReceiveCount` that outages need: decision 32
LARGEST = 256 * 1024  # bytes of a body and its attributes that every queue takes
# What SQS says of a message that it will never take: longer than this queue allows, or of other characters.
REFUSALS = ("InvalidParameterValue", "InvalidMessageContents", "InvalidAttributeValue")
ORIGINAL_ID = "OriginalMessageId"
SENT_BACK = "SentBack"
TRACEPARENT = "traceparent"
OUR_ATTRIBUTES = ("Reason", "Detail", "BodySha256", ORIGINAL_ID, SENT_BACK)
MOST_ATTRIBUTES = 10  # that SQS takes beside a body
LOOKING_SECONDS = 30  # how long a look hides messages from others, if it is not given back before
MOVING_SECONDS = 60
Message = TypeVar("Message", bound="QueueMessage")


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QueueMessage:
    """A body that was too large to be sent lies in the object store (`clients.stored_bodies`): `stub` is
    what the queue has of it, and `body` is the same stub when it cannot be had any more. `sent_back`: what it
    carries of its time as a dead letter (`DeadLetter.first_at`). `traceparent`: W3C's, of a producer that
    traces."""

    id: str
    receipt_handle: str
    body: str
    stub: str | None = None
    sent_back: str | None = None
    traceparent: str | None = None

    @property
    def body_is_gone(self) -> bool:
        return self.body == self.stub


@dataclass(frozen=True, kw_only=True)
class DeadLetter(QueueMessage):
    """`id` is that of the message when it was first sent. What SQS itself gave up on, after too many
    receives, has no reason. Looks count as receives too. `first_at`: when it first lay here; a letter that
    was sent back `times` times, last at `back_at`, and came again is as old as before."""

    dead_id: str
    sent_at: datetime
    receives: int
    attributes: dict[str, Any]

    @property
    def reason(self) -> str | None:
        return self._text("Reason")

    @property
    def first_at(self) -> datetime:
        return self._back[0]

    @property
    def back_at(self) -> datetime | None:
        return self._back[1]

    @property
    def times(self) -> int:
        return self._back[2]

    @cached_property
    def _back(self) -> tuple[datetime, datetime | None, int]:
        try:
            first, last, times = (self._text(SENT_BACK) or "").split()
            return datetime.fromisoformat(first), datetime.fromisoformat(last), int(times)
        except ValueError:  # never, or somebody else's attribute of that name
            return self.sent_at, None, 0

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
        self._settings = settings
        self._wait = settings.sqs_wait_seconds
        self._url = self._sqs.get_queue_url(QueueName=name)["QueueUrl"]
        self._name = name
        self.hold_seconds = settings.sqs_hold_seconds

    @cached_property
    def _dlq_url(self) -> str:
        """Asked for when it is needed: one that is missing holds up no healthy message."""
        return self._sqs.get_queue_url(QueueName=f"{self._name}-dlq")["QueueUrl"]

    @cached_property
    def _bodies(self) -> StoredBodies:
        return StoredBodies(self._settings)  # made when the first is met: few processes ever do

    def receive(self) -> list[QueueMessage]:
        """Up to 10 messages, invisible to others for `hold_seconds`. One whose stored body cannot be read
        now is left to come again."""
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=self._wait,
            VisibilityTimeout=self.hold_seconds,
            MessageAttributeNames=[ORIGINAL_ID, SENT_BACK, TRACEPARENT],
        )
        received = [
            QueueMessage(
                _first_id(message),
                message["ReceiptHandle"],
                message["Body"],
                sent_back=_attribute(message, SENT_BACK),
                traceparent=_attribute(message, TRACEPARENT),
            )
            for message in answer.get("Messages", [])
        ]
        opened = []
        for message in received:
            try:
                opened.append(self._opened(message))
            except BodyGone as error:
                if isinstance(error, BodyLocked):
                    log.error("no key of PAYLOAD_KEYS opens the stored body of message %s", message.id)
                    continue
                opened.append(replace(message, stub=message.body))
            except (BotoCoreError, ClientError) as error:
                log.warning(
                    "the stored body of message %s cannot be read: %s", message.id, type(error).__name__
                )
        return opened

    def delete(self, messages: Sequence[QueueMessage]) -> list[QueueMessage]:
        """Delete up to 10 messages; returns those that SQS could not delete, to be tried again. One
        whose receipt handle SQS does not take any more is not ours: it is gone, or somebody else has it."""
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
        shown = "".join(each if each.isprintable() else "?" for each in detail[:1000])
        attributes = {
            "Reason": code,
            "Detail": shown or "-",
            ORIGINAL_ID: message.id,
            "BodySha256": hashlib.sha256(message.body.encode(errors="surrogatepass")).hexdigest(),
        }
        if message.sent_back:
            attributes[SENT_BACK] = message.sent_back
        given = {name: _text_attribute(value) for name, value in attributes.items()}
        return self._send(self._dlq_url, message, given)

    def drop_body(self, message: QueueMessage) -> None:
        """Erase what the object store keeps of a message that is done."""
        if message.stub:
            self._bodies.drop(message.stub)

    def _with_body(self, message: Message) -> Message:
        try:
            return self._opened(message)
        except BodyGone:
            return replace(message, stub=message.body)

    def _opened(self, message: Message) -> Message:
        """Raises BodyGone."""
        if not is_stub(message.body):
            return message
        return replace(message, body=self._bodies.open(message.body), stub=message.body)

    def _send(self, url: str, message: QueueMessage, attributes: dict[str, Any]) -> str:
        """Send a body with attributes; one that the queue does not take beside them goes to the object store,
        and its stub to the queue. Returns the id."""
        sizes = (
            len(name) + len(value["DataType"]) + len(value.get("StringValue") or value["BinaryValue"])
            for name, value in attributes.items()
        )
        body = message.body
        if sum(sizes) + len(body.encode(errors="surrogatepass")) <= LARGEST:
            try:
                answer = self._sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
                return answer["MessageId"]
            except ClientError as error:
                if is_stub(body) or error.response["Error"]["Code"] not in REFUSALS:
                    raise
        stub = self._bodies.store(message.id, body)
        answer = self._sqs.send_message(QueueUrl=url, MessageBody=stub, MessageAttributes=attributes)
        return answer["MessageId"]

    def receives(self) -> int | None:
        """How often SQS lets a message be received before it moves it; None where it never does, or where
        nobody says."""
        names: list[Any] = ["RedrivePolicy"]
        try:
            answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        except (BotoCoreError, ClientError):
            return None
        policy = answer.get("Attributes", {}).get(names[0])
        return int(json.loads(policy)["maxReceiveCount"]) if policy else None

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
        return sorted((self._shown(each) for each in found[:limit]), key=lambda each: each.first_at)

    def _shown(self, letter: DeadLetter) -> DeadLetter:
        try:
            return self._with_body(letter)
        except (BotoCoreError, ClientError):  # the letter can be seen, and sent back, without its body
            return replace(letter, stub=letter.body)

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
                    self._send(self._url, letter, _original(letter))
                    self._sqs.delete_message(QueueUrl=self._dlq_url, ReceiptHandle=letter.receipt_handle)
                    moved += 1
                if moved == (len(ids) if ids is not None else None):
                    break
        finally:
            self._give_back(others)
        return moved

    def sift_dead(self, is_one: Callable[[DeadLetter], bool], *, erase: bool) -> int:
        """How many dead letters are such that `is_one`; with `erase` they and their bodies go for ever."""
        found, kept = 0, []
        try:
            for batch in self._take_dead(MOVING_SECONDS):
                for letter in batch:
                    opened = self._with_body(letter)
                    if not is_one(opened):
                        kept.append(letter)
                        continue
                    found += 1
                    if not erase:
                        kept.append(letter)
                        continue
                    self.drop_body(opened)
                    self._sqs.delete_message(QueueUrl=self._dlq_url, ReceiptHandle=letter.receipt_handle)
        finally:
            self._give_back(kept)
        return found

    def _take_dead(self, seconds: int) -> Iterator[list[DeadLetter]]:
        """Batches until one is empty, or brings only what was here before."""
        seen: set[str] = set()
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self._dlq_url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=seconds,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
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
    return _attribute(message, ORIGINAL_ID) or message["MessageId"]


def _attribute(message: Any, name: str) -> str | None:
    found: str | None = message.get("MessageAttributes", {}).get(name, {}).get("StringValue")
    return found


def _text_attribute(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def _dead_letter(message: Any) -> DeadLetter:
    system = message["Attributes"]
    return DeadLetter(
        id=_first_id(message),
        receipt_handle=message["ReceiptHandle"],
        body=message["Body"],
        dead_id=message["MessageId"],
        sent_at=datetime.fromtimestamp(int(system["SentTimestamp"]) / 1000, UTC),
        receives=int(system["ApproximateReceiveCount"]),
        attributes=message.get("MessageAttributes", {}),
    )


def _original(letter: DeadLetter) -> dict[str, Any]:
    """The attributes it was first sent with, its first id, and since when it has been a dead letter, where
    there is room for that."""
    given = {
        name: {
            key: value
            for key, value in attribute.items()
            if key in ("DataType", "StringValue", "BinaryValue")
        }
        for name, attribute in letter.attributes.items()
        if name not in OUR_ATTRIBUTES
    }
    given[ORIGINAL_ID] = _text_attribute(letter.id)
    if len(given) < MOST_ATTRIBUTES:
        back = f"{letter.first_at.isoformat()} {datetime.now(UTC).isoformat()} {letter.times + 1}"
        given[SENT_BACK] = _text_attribute(back)
    return given


def _entries(messages: Sequence[QueueMessage]) -> list[Any]:
    return [
        {"Id": str(index), "ReceiptHandle": message.receipt_handle} for index, message in enumerate(messages)
    ]


def _failed(answer: Any, messages: Sequence[QueueMessage]) -> list[QueueMessage]:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_BatchResultErrorEntry.html"""
    return [messages[int(entry["Id"])] for entry in answer.get("Failed", []) if not entry["SenderFault"]]
