"""What a digest sends, put together of notices. CPU work, for a thread."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from clients.database.digests import NoticeRow
from clients.database.messaging_chunks import NewRecipient
from clients.keys import Sealer
from contracts.messaging import Channel, Composed
from rules.messaging.chunks import between, encode, pack
from rules.messaging.compose import by_size, masked, provider_message
from rules.messaging.digests import Notice, joined, shared
from rules.messaging.text import size

ID = "digest"  # of its recipients: whose notices it has is known by their own jobs
Place = tuple[UUID, int]  # a notice: its job, and its position there


class Opened(NamedTuple):
    """A notice with its message, as it would travel alone."""

    notice: NoticeRow
    message: dict[str, Any]

    @property
    def place(self) -> Place:
        return self.notice.job_id, self.notice.position

    @property
    def said(self) -> Notice:
        return Notice(self.message["text"], self.message.get("subject"))

    def is_in(self, sent: dict[str, Any]) -> bool:
        """Whether a message that the provider has says it."""
        return sent["to"] == self.message["to"] and self.message["text"] in str(sent.get("text"))


@dataclass(frozen=True)
class Told:
    """One message, at a position of the digest, and the notices that it says."""

    position: int
    to: str
    middle: bytes
    channel: Channel
    notices: list[Place]


def gathered(digest_id: UUID, opened: Iterable[Opened]) -> Iterator[Told]:
    """The messages to each phone from each sender, in the order of their first notices."""
    phones: dict[tuple[str, str], list[Opened]] = {}
    for each in opened:
        phones.setdefault((each.message["to"], each.message["from"]), []).append(each)
    parts = (
        [some[index] for index in together]
        for some in phones.values()
        for together in shared([each.said for each in some])
    )
    for position, some in enumerate(parts):
        yield told(digest_id, position, some)


def gathered_anew(digest_id: UUID, opened: Iterable[Opened]) -> list[Told]:
    """The same messages at the same positions, of those of their notices that are left."""
    found: dict[int, list[Opened]] = defaultdict(list)
    for each in opened:
        assert each.notice.carried_at is not None, "a message says it"
        found[each.notice.carried_at].append(each)
    return [told(digest_id, position, some) for position, some in found.items()]


def told(digest_id: UUID, position: int, some: Sequence[Opened]) -> Told:
    said, first = joined([each.said for each in some]), some[0].message
    channel = by_size(size(said.text), said.subject)
    composed = Composed(
        to=first["to"], sender=first["from"], text=said.text, subject=said.subject, channel=channel
    )
    encoded = encode(provider_message(composed, {"job": digest_id.hex, "n": str(position)}))
    middle = between(encoded, composed.to, position)
    return Told(position, composed.to, middle, channel, [each.place for each in some])


def recipient(sealer: Sealer, position: int, to: str, channel: str) -> NewRecipient:
    """A row of the digest's only chunk."""
    return NewRecipient(
        position=position,
        chunk=0,
        recipient_id=ID,
        phone_mac=sealer.mac(to),
        masked_phone=masked(channel, to),
        channel=channel,
        fallback=None,
        occurrence=None,
    )


def sealed(sealer: Sealer, digest_id: UUID, messages: Sequence[Told]) -> bytes:
    return sealer.seal(pack((each.middle, each.to, each.position) for each in messages), digest_id.bytes)
