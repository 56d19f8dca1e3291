"""The life of a group at the provider, as our row has it: why a message is sent once.

What may follow what stands here and nowhere else; `clients/database/messaging_groups.py` does it, by
compare-and-set.
"""

from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID


class GroupState(StrEnum):
    """OPEN: empty. ADDING: one request is filling it. ADDED: it holds what it should. COMMITTED: it is sent,
    and no other in its place. SENT: the provider has it for good. DONE: all its recipients have an end.
    CANCELLED: proven that it was not sent."""

    OPEN = "OPEN"
    ADDING = "ADDING"
    ADDED = "ADDED"
    COMMITTED = "COMMITTED"
    SENT = "SENT"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


OPEN, ADDING, ADDED, COMMITTED, SENT, DONE, CANCELLED = GroupState

OPEN_STATES = frozenset({OPEN, ADDING, ADDED})
"""Nobody has asked to send it, so another group may take the chunk, or none."""
HANDED_OVER = frozenset({SENT, DONE})
"""The provider has it for good."""
UNFINISHED = frozenset({COMMITTED, SENT})
BINDING = UNFINISHED | {DONE}
"""From the commit on; of a CANCELLED group it is proven that it was not sent."""

MOVES: Mapping[GroupState, frozenset[GroupState]] = {
    OPEN: frozenset(
        {
            ADDING,  # whoever gets here sends the one request that fills it
            CANCELLED,  # the job was cancelled before the commit
        }
    ),
    ADDING: frozenset(
        {
            OPEN,  # the request was refused at the door or never left: the group is as empty as before
            ADDED,  # the answer is what was asked for
            CANCELLED,  # the job was cancelled before the commit; what the group holds is never sent
        }
    ),
    ADDED: frozenset(
        {
            COMMITTED,  # the point of no return
            CANCELLED,  # the job was cancelled before the commit
        }
    ),
    COMMITTED: frozenset(
        {
            COMMITTED,  # a send begins, which is noted before the provider is asked
            SENT,  # the provider has taken it, now or before
            OPEN,  # the provider gave it up and sent nothing of it: another group may take the chunk
            CANCELLED,  # taken back: the provider has deleted it unsent
            DONE,  # the provider lost it: it may have been sent, so it never is again; or all of its e-mails,
            # which are sent one by one, have their end
        }
    ),
    SENT: frozenset({DONE}),  # every recipient has an end
    DONE: frozenset(),
    CANCELLED: frozenset(),
}


class ForbiddenMove(ValueError):
    """A move that the table does not have: a bug, found before anything is written."""


def check_move(old: GroupState, new: GroupState) -> None:
    """Raises ForbiddenMove."""
    if new not in MOVES[old]:
        raise ForbiddenMove(f"a group that is {old} does not become {new}")


_MAIL, DIGESTS = "mail-", "digest-"  # no id of the provider's begins so


def mail_group(job_id: UUID, chunk: int) -> str:
    """The id of a chunk's own group of e-mails, which no provider has: it is the same whenever it is made."""
    return f"{_MAIL}{job_id.hex}-{chunk}"


def is_mail(group_id: str) -> bool:
    return group_id.startswith(_MAIL)


def digest_group(job_id: UUID, chunk: int) -> str:
    """What stands for the group of a chunk whose messages go with others: a digest has them (SENT), and its
    own group says what becomes of them."""
    return f"{DIGESTS}{job_id.hex}-{chunk}"


def is_digest(group_id: str) -> bool:
    return group_id.startswith(DIGESTS)
