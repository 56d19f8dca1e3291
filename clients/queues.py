"""SQS. Every call blocks: use `asyncio.to_thread`."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from clients.settings import Settings

BATCH = 10  # the most that SQS takes in one call


@dataclass(frozen=True)
class QueueMessage:
    id: str
    receipt_handle: str
    body: str


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
        )
        return [
            QueueMessage(message["MessageId"], message["ReceiptHandle"], message["Body"])
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

    def bury(self, message: QueueMessage, code: str, detail: str) -> str:
        """Copy a message, unchanged and with the reason beside it, to the dead letter queue.

        Returns the copy's id.
        """
        attributes = {
            "Reason": code,
            "Detail": detail[:1000] or "-",
            "OriginalMessageId": message.id,
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


def _entries(messages: Sequence[QueueMessage]) -> list[Any]:
    return [
        {"Id": str(index), "ReceiptHandle": message.receipt_handle} for index, message in enumerate(messages)
    ]


def _failed(answer: Any, messages: Sequence[QueueMessage]) -> list[QueueMessage]:
    return [messages[int(entry["Id"])] for entry in answer.get("Failed", [])]
