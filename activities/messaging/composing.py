"""Each recipient's message, checked and encoded, in chunks that a group holds. CPU work, for a thread."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import to_json

from activities.messaging.requested import Problems, occurrence, problem
from clients.database.messaging_chunks import NewRecipient
from clients.keys import Sealer
from contracts.errors import DUPLICATE_RECIPIENT
from contracts.jobs import JobRef
from contracts.messaging import (
    Account,
    Channel,
    Composed,
    Note,
    NoteCode,
    Recipient,
    SendRequest,
    Template,
)
from rules.messaging.chunks import around_text, between, encode, message, pack, split
from rules.messaging.compose import (
    Composer,
    asked_for,
    linked,
    masked,
    provider_message,
    reached,
)
from rules.messaging.siblings import by_phone, merged
from rules.messaging.template import by_name
from rules.messaging.unsendable import Unsendable

MAILS = 200  # of a chunk: so many may become unsure when a database goes back
MAX_PROBLEMS = 100  # told; the first of them is the job's reason
MAX_NOTES, MAX_NAME = 20, 100
MAX_KINDS = 100  # a subject with a name in it is another for each


@dataclass(frozen=True)
class Job:
    """What `prepare` has read."""

    ref: JobRef
    request: SendRequest
    recipients: list[Recipient]
    account: Account
    template: Template | None
    image_id: str | None
    sealer: Sealer
    expires_at: datetime | None = None
    asked_by: str | None = None
    class_ids: list[int] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)  # `composed_chunks` adds to them


class _Told(NamedTuple):
    """One message, and the positions of all whom it is about; it is sent as the first one's."""

    positions: list[int]
    to: str
    middle: bytes
    composed: Composed


def composed_chunks(job: Job, default_pf_id: str | None) -> Iterator[tuple[list[NewRecipient], bytes]]:
    """Each chunk: recipients, and sealed messages. Raises Problems."""
    waiting: deque[_Told] = deque()
    problems: list[dict[str, Any]] = []
    unused: Counter[str] = Counter()
    encoded = _encoded(job, default_pf_id, waiting, problems, unused)
    together = 0
    mailed = job.request.draft.mode == "email"
    for chunk, chunk_messages in enumerate(split(encoded, max_count=MAILS) if mailed else split(encoded)):
        rows: list[NewRecipient] = []
        people = []
        for _ in chunk_messages:
            told = waiting.popleft()
            people.append((told.middle, told.to, told.positions[0]))
            rows += _rows(job, chunk, told)
            together += len(told.positions) - 1
        yield rows, job.sealer.seal(pack(people), job.ref.job_id.bytes)
    if problems:
        raise Problems(problems)
    if not job.notes:  # of one that goes as text, the template's values are nobody's slip
        job.notes.extend(
            Note(code=NoteCode.VARIABLE_UNUSED, about=name[:MAX_NAME], recipients=count)
            for name, count in unused.most_common(MAX_NOTES)
        )
    if together:
        job.notes.append(Note(code=NoteCode.TOLD_TOGETHER, about="one_per_phone", recipients=together))


def _encoded(
    job: Job,
    default_pf_id: str | None,
    waiting: deque[_Told],
    problems: list[dict[str, Any]],
    unused: Counter[str],
) -> Iterator[bytes]:
    """Messages as they travel; `waiting` gets whom each is about. Raises Problems when there are many."""
    draft, asked = job.request.draft, asked_for(job.request.draft, job.template)
    composer = Composer(draft, job.account, job.template, default_pf_id, job.image_id)
    middles, surplus = _Middles(job.ref.job_id.hex), _Surplus(asked)
    seen: set[tuple[str, str]] = set()  # one student may have two parents
    same: tuple[Composed, bytes] | None = None
    for positions in _groups(job):
        first, recipient = positions[0], job.recipients[positions[0]]
        try:
            for each in positions:
                if names := surplus.of(job.recipients[each].variables):
                    unused.update(names)
            if len(positions) > 1:
                index, recipient = merged([job.recipients[each] for each in positions], asked)
                first = positions[index]
            if recipient.variables or same is None:
                composed = composer.compose(recipient)
                to, middle = composed.to, middles.of(composed)
                encoded = message(middle, to, first)
                same = None if recipient.variables else (composed, middle)
            else:  # the same for everybody without variables, but for the phone
                (composed, middle), to = same, reached(draft, recipient.to)
                encoded = message(middle, to, first)
            for first in positions:
                if (known := (job.recipients[first].id, to.lower())) in seen:
                    raise Unsendable(DUPLICATE_RECIPIENT)
                seen.add(known)
        except Unsendable as error:
            problems.append(problem(first, error))
            if len(problems) == MAX_PROBLEMS:
                raise Problems(problems) from None
            continue
        waiting.append(_Told(positions, to, middle, composed))
        yield encoded


class _Middles:
    """What is between phone and position of each message. All that is not the text is written once for each
    kind of message; an Alimtalk's variables are its own."""

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id
        self._known: dict[tuple[Channel, str | None], tuple[bytes, bytes]] = {}

    def of(self, composed: Composed) -> bytes:
        if composed.channel is Channel.ATA:
            return self._written(composed)
        kind = composed.channel, composed.subject
        if (known := self._known.get(kind)) is None:
            known = around_text(self._written(replace(composed, text="")))
            if len(self._known) < MAX_KINDS:
                self._known[kind] = known
        return b"%b%b%b" % (known[0], to_json(composed.text), known[1])

    def _written(self, composed: Composed) -> bytes:
        encoded = encode(provider_message(composed, {"job": self._job_id, "n": "0"}))
        return between(encoded, composed.to, 0)


class _Surplus:
    """Which variables nobody asks for; most lists have the same for all."""

    def __init__(self, asked: Set[str]) -> None:
        self._asked = asked
        self._known: dict[tuple[str, ...], Set[str]] = {}

    def of(self, variables: Mapping[str, str]) -> Set[str]:
        names = tuple(variables)
        if (found := self._known.get(names)) is None:
            found = by_name(variables).keys() - self._asked
            if len(self._known) < MAX_NOTES:
                self._known[names] = found
        return found


def _groups(job: Job) -> Iterator[list[int]]:
    """The positions that each message is about."""
    if job.request.draft.one_per_phone:
        return by_phone(job.request.draft, job.recipients, linked(job.request.draft, job.template))
    return ([position] for position in range(len(job.recipients)))


def _rows(job: Job, chunk: int, told: _Told) -> Iterator[NewRecipient]:
    draft, mac = job.request.draft, job.sealer.mac(told.to.lower())
    for position in told.positions:
        recipient = job.recipients[position]
        yield NewRecipient(
            position=position,
            chunk=chunk,
            recipient_id=recipient.id,
            phone_mac=mac,
            masked_phone=masked(told.composed.channel, told.to),
            channel=told.composed.channel,
            fallback=told.composed.fallback,
            occurrence=occurrence(draft, recipient, mac),
            former_occurrence=occurrence(draft, recipient),
            merged_into=None if position == told.positions[0] else told.positions[0],
        )
