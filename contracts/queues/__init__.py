"""What the producers' queues carry, and `parse`, which makes a `JobRequest` or a `Poison` of a body."""

from contracts.queues.ai import AI_JOB_TYPES
from contracts.queues.parse import JOB_TYPES, QUEUES, parse
from contracts.queues.poison import Poison, PoisonCode
from contracts.queues.video import encode_subject

__all__ = ["AI_JOB_TYPES", "JOB_TYPES", "QUEUES", "Poison", "PoisonCode", "encode_subject", "parse"]
