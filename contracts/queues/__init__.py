"""What the producers' queues carry, and what makes a `JobRequest` or a `Poison` of it."""

from contracts.queues.messaging import digest_request
from contracts.queues.parse import QUEUES, parse, read
from contracts.queues.poison import Poison, PoisonCode
from contracts.queues.video import download_request, encode_subject, trim_request

__all__ = [
    "QUEUES",
    "Poison",
    "PoisonCode",
    "digest_request",
    "download_request",
    "encode_subject",
    "parse",
    "read",
    "trim_request",
]
