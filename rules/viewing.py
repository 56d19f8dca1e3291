"""Who may watch a lecture, and how: rules without a database. Times in seconds of the lecture."""

import hashlib
import json
from dataclasses import astuple, dataclass
from enum import StrEnum

RULES = 1
"""Raise it when `decide` changes: tokens given under the rules before die."""

COMPLETED = 0.9
SEEK_SLACK = 3.0
BEAT_CREDIT = 60.0
"""Of a longer silence between two heartbeats no more than this counts as watched."""

LOAD_AHEAD = 60.0
"""By so much a player may load what it does not show yet."""

SHORTEST_SEGMENT = 3.8
"""Segments have four seconds, rounded to whole frames: no segment starts before its number times this."""

VIOLATION_LIMIT = 10
VIOLATION_WINDOW = 600.0
"""So many violations of a student within so many seconds end the session, and no other begins meanwhile."""


class AccessMode(StrEnum):
    FREE_REVIEW = "FREE_REVIEW"
    PROCTORED_CLASS = "PROCTORED_CLASS"
    BLOCKED = "BLOCKED"


class Reason(StrEnum):
    """Why the access mode is what it is."""

    PERMISSION = "PERMISSION"
    BLOCKED = "BLOCKED"
    NOT_ONLINE = "NOT_ONLINE"
    COMPLETED = "COMPLETED"
    ONLINE = "ONLINE"
    PREVIEW = "PREVIEW"


class Refusal(StrEnum):
    """Why a lecture is not played whatever the access mode."""

    NOT_READY = "NOT_READY"
    NOT_ENROLLED = "NOT_ENROLLED"
    BLOCKED = "BLOCKED"


class Violation(StrEnum):
    SEEK_TOO_FAR = "SEEK_TOO_FAR"
    WRONG_RATE = "WRONG_RATE"
    TAB_HIDDEN = "TAB_HIDDEN"


@dataclass(frozen=True)
class Facts:
    """What the decision rests on. `permission`: the access mode of an overriding permission. `revision`
    counts the changes to a student's permission and the revocations of the video: it never goes back."""

    ready: bool = True
    enrolled: bool = True
    permission: AccessMode | None = None
    blocked: bool = False
    online: bool = False
    completed: bool = False
    revision: str = ""


@dataclass(frozen=True)
class Decision:
    """`version` changes whenever a fact behind the decision does."""

    access_mode: AccessMode
    reason: Reason
    refusal: Refusal | None
    version: str

    @property
    def proctored(self) -> bool:
        return self.access_mode == AccessMode.PROCTORED_CLASS


@dataclass(frozen=True)
class Watched:
    """How far a student has come. `slack` is what is left of the 3 s by which a player may be ahead."""

    furthest: float = 0.0
    slack: float = SEEK_SLACK


def decide(facts: Facts) -> Decision:
    """An overriding permission, else a block, else attendance and progress. Played is what is READY, of a
    session the student is enrolled in, and not BLOCKED."""
    if facts.permission:
        mode, reason = facts.permission, Reason.PERMISSION
    elif facts.blocked:
        mode, reason = AccessMode.BLOCKED, Reason.BLOCKED
    elif not facts.online:
        mode, reason = AccessMode.FREE_REVIEW, Reason.NOT_ONLINE
    elif facts.completed:
        mode, reason = AccessMode.FREE_REVIEW, Reason.COMPLETED
    else:
        mode, reason = AccessMode.PROCTORED_CLASS, Reason.ONLINE
    refusal = None
    if not facts.ready:
        refusal = Refusal.NOT_READY
    elif not facts.enrolled:
        refusal = Refusal.NOT_ENROLLED
    elif mode == AccessMode.BLOCKED:
        refusal = Refusal.BLOCKED
    return Decision(mode, reason, refusal, _version(facts))


def preview(ready: bool, revision: str) -> Decision:
    """Staff look at whatever can be played."""
    refusal = None if ready else Refusal.NOT_READY
    version = _version(Facts(ready=ready, revision=revision))
    return Decision(AccessMode.FREE_REVIEW, Reason.PREVIEW, refusal, version)


def is_completed(progress: float, proctored_completed: bool) -> bool:
    """`progress` is the part watched, 0 to 1."""
    return progress >= COMPLETED or proctored_completed


def advance(watched: Watched, elapsed: float, position: float) -> Watched | None:
    """Proctored: `elapsed` seconds after the last heartbeat the player is at `position`. None when it
    cannot have come there at normal speed: a seek beyond the furthest point and the slack.

    The slack is one bucket for the whole lecture, filled again by playing slower than the clock, so that
    many small jumps do not add up to a fast one.
    """
    reach = watched.furthest + min(max(elapsed, 0.0), BEAT_CREDIT) + watched.slack
    if position > reach:
        return None
    furthest = max(watched.furthest, position)
    return Watched(furthest, min(SEEK_SLACK, reach - furthest))


def may_fetch(watched: Watched, elapsed: float, segment: int) -> bool:
    """Proctored: whether the segment of this number, from 0, may be fetched now. A player loads ahead, by
    LOAD_AHEAD at most; who wants more wants to see what the clock does not allow, or to keep it."""
    return may_look(watched, elapsed, segment * SHORTEST_SEGMENT)


def may_look(watched: Watched, elapsed: float, start: float) -> bool:
    """`may_fetch` of what begins at `start`."""
    return start <= watched.furthest + min(max(elapsed, 0.0), BEAT_CREDIT) + watched.slack + LOAD_AHEAD


def _version(facts: Facts) -> str:
    text = json.dumps([RULES, *astuple(facts)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
