"""How much lies in SQS, approximately. Every call blocks: use `asyncio.to_thread`."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from clients.connections import QueuesPart

_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "max_attempts": 2})


class Depths:
    def __init__(self, settings: QueuesPart) -> None:
        self._names = settings.queue_names()
        self._sqs = boto3.client(
            "sqs", region_name=settings.aws_region, endpoint_url=settings.sqs_endpoint_url, config=_CONFIG
        )
        self._url = cache(lambda name: self._sqs.get_queue_url(QueueName=name)["QueueUrl"])

    def waiting(self, names: Iterable[str]) -> int:
        """Messages of these queues, by our names, taken or not; of those that are not read here none."""
        return sum(self._depth(self._names[name]) for name in names if name in self._names)

    def dead(self, names: Iterable[str]) -> int:
        return sum(self._depth(f"{self._names[name]}-dlq") for name in names if name in self._names)

    def _depth(self, name: str) -> int:
        names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url(name), AttributeNames=names)
        return sum(int(answer["Attributes"][each]) for each in names)
