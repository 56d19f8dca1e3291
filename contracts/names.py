"""Names that both sides of Temporal spell: whoever starts and asks, and whoever works."""

from enum import StrEnum


class TaskQueue(StrEnum):
    """Where workers look for work."""

    VIDEO_LIGHT = "video-light"
    VIDEO_ENCODE = "video-encode"
    AI = "ai"
    AI_GPU = "ai-gpu"
    MESSAGING = "messaging"
    MAIL = "mail"  # e-mails: workers of releases before know nothing of them
    DIGEST = "digest"  # several notices in one text: likewise
    OPS = "ops"
    EXTERNAL = "external"  # of nobody here: whoever implements a job type of `EXTERNAL_JOB_TYPES`


def queue_of_build(encoder: str) -> str:
    """The task queue of the workers with one encoder build, by its fingerprint."""
    return f"{TaskQueue.VIDEO_ENCODE}-{encoder}"


class WorkflowType(StrEnum):
    """What can be started. The names stand in histories: they never change."""

    ENCODE = "video.encode"
    DELETE = "video.delete"
    TRIM = "video.trim"
    RETIRE = "video.retire"
    AI = "ai.job"
    MESSAGES = "messages"
    DIGEST = "messages.digest"
    COMPARE = "messages.compare"
    SYNC_TEMPLATES = "messages.sync-templates"
    RESTORE_MESSAGES = "messages.restore"
    JOB = "job.run"
    RECONCILE = "ops.reconcile"
    SWEEP = "ops.sweep"
    SWEEP_OBJECTS = "ops.sweep-objects"
    SCALE = "ops.scale"
    RETAIN = "ops.retain"
    INDEX = "ops.index"
