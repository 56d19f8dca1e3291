"""Alimtalk that the provider refuses when it is registered goes as its text, where it has one."""

from collections import Counter
from collections.abc import Iterable, Mapping

from pydantic_core import from_json
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database import messaging, messaging_chunks
from clients.database.credits import RecipientOutcome
from clients.database.messaging import MessageJobRow
from clients.keys import Sealer
from contracts.messaging import Channel, GroupRef, NoteCode
from rules.messaging.chunks import between, encode, pack, unpack_all

# No such receiver, twice in a group, the provider's balance, opted out, an unknown sender: a text would be
# refused for the same. What is wrong with template or channel has other codes.
OF_ANY_CHANNEL = ("1021", "1026", "1030", "1061", "1062")


def refused_as_alimtalk(
    pieces: Iterable[bytes], outcomes: Iterable[RecipientOutcome]
) -> dict[int, str | None]:
    """Position → code of those refused whose message in a chunk's opened pieces is an Alimtalk with a text
    that may do better."""
    codes = {each.position: each.code for each in outcomes if each.code not in OF_ANY_CHANNEL}
    if not codes:
        return {}
    asked = ((position, message) for position, _, message in unpack_all(pieces) if position in codes)
    return {position: codes[position] for position, message in asked if _may_be_text(message)}


async def turn_to_text(
    connection: AsyncConnection,
    sealer: Sealer,
    job: MessageJobRow,
    group: GroupRef,
    codes: Mapping[int, str | None],
) -> bool:
    """Write the chunk's messages anew, as texts those of the positions in `codes` that are Alimtalk still,
    and a note of how many for each code. False if none of them has a text to fall back to. The caller holds
    the locks of job and group."""
    aad = group.job_id.bytes
    sealed, _ = await messaging_chunks.pending(connection, group)
    channels = await messaging_chunks.fallbacks(connection, group, codes)
    people, turned = [], Counter[str]()
    for position, to, message in unpack_all(sealer.open(piece, aad) for piece in sealed):
        if position in channels and _may_be_text(message):
            turned[codes[position] or ""] += 1
            message = _as_text(message, channels[position])
        people.append((between(message, to, position), to, position))
    if turned:
        await messaging_chunks.rewrite(connection, group, sealer.seal(pack(people), aad))
        await messaging.add_notes(connection, job, NoteCode.SENT_AS_TEXT, turned)
    return bool(channels)


def _may_be_text(message: bytes) -> bool:
    read = from_json(message)
    return read["type"] == Channel.ATA and "text" in read


def _as_text(message: bytes, channel: str) -> bytes:
    read = {name: value for name, value in from_json(message).items() if name != "kakaoOptions"}
    return encode(read | {"type": channel})
