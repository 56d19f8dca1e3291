"""Requests stay below both limits, and together hold every message once and in order."""

import json
from collections.abc import Iterator
from functools import partial
from inspect import signature
from itertools import pairwise
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.messaging import preparing
from activities.messaging.preparing import Job, PrepareActivities
from clients.keys import Sealer
from contracts.errors import MESSAGE_TOO_LARGE
from contracts.jobs import JobRef
from contracts.messaging import Account, Draft, Recipient, SendRequest
from rules.messaging.chunks import MAX_BYTES, MAX_COUNT, encode, split, unpack
from rules.messaging.compose import compose, provider_message
from rules.messaging.unsendable import Unsendable

messages = st.lists(st.fixed_dictionaries({"to": st.text(max_size=5), "text": st.text(max_size=40)}))


def body_bytes(chunk: list[bytes]) -> int:
    """Bytes of the request as httpx would write it."""
    messages = [json.loads(message) for message in chunk]
    return len(httpx.Request("PUT", "http://x", json={"messages": messages}).content)


@given(messages, st.integers(1, 5), st.integers(320, 900))
def test_all_in_order_and_each_below_both_limits(
    given_: list[dict[str, object]], count: int, limit: int
) -> None:
    encoded = [encode(message) for message in given_]
    chunks = list(split(encoded, count, limit))
    assert [message for chunk in chunks for message in chunk] == encoded
    for chunk in chunks:
        assert 0 < len(chunk) <= count
        assert body_bytes(chunk) <= limit
    for chunk, following in pairwise(chunks):
        full = body_bytes([*chunk, following[0]]) + 1 > limit
        assert full or len(chunk) == count, "a chunk is closed only when it is full"
    assert list(split(iter(encoded), count, limit)) == chunks


def test_a_message_that_fits_no_request_is_refused() -> None:
    with pytest.raises(Unsendable) as refusal:
        list(split([encode({"text": "가" * 400})], max_bytes=1000))
    assert refusal.value.code == MESSAGE_TOO_LARGE


def test_the_provider_limits_are_kept() -> None:
    assert MAX_COUNT <= 10_000 and MAX_BYTES < 15_000_000
    long = encode({"text": "가" * 1000})
    sizes = [len(chunk) for chunk in split(long for _ in range(12_000))]
    assert sizes[0] < MAX_COUNT and sum(sizes) == 12_000
    assert body_bytes([long] * sizes[0]) < 15_000_000
    assert [len(chunk) for chunk in split(b"{}" for _ in range(20_001))] == [10_000, 10_000, 1]


def test_what_stands_between_small_messages_counts() -> None:
    chunks = list(split([encode({"text": "a"})] * 1000, max_bytes=1315))
    assert {body_bytes(chunk) for chunk in chunks} == {1314}


def test_no_more_than_one_chunk_is_held() -> None:
    taken = 0

    def source() -> Iterator[bytes]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield encode({"text": str(number)})

    next(split(source(), max_count=10))
    assert taken == 11


@pytest.mark.parametrize("text", ['내일은 "휴원"입니다.\n', "#{이름} \\ 학생"], ids=["one text", "variables"])
def test_what_is_sealed_is_what_each_was_composed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are stored once for all who share them; each still gets their own message, in its chunk."""
    monkeypatch.setattr(preparing, "split", partial(split, max_count=3))
    people = [
        Recipient(id=str(n), to=f"0102000{n:04}", variables={"이름": f"학생{n % 4}"} if "#" in text else {})
        for n in range(11)
    ]
    account = Account(tenant_id=1, sender="0212345678", sender_numbers=frozenset(["0212345678"]))
    sealer, what = Sealer(1, bytes(32)), Draft(text=text)
    ref = JobRef(job_id=uuid4(), tenant_id=1, job_type="messages.send")
    job = Job(ref, SendRequest(draft=what), people, account, None, None, sealer)
    unused = dict.fromkeys(signature(PrepareActivities).parameters)
    chunks = list(PrepareActivities(**unused)._compose(job))
    assert [len(rows) for rows, _ in chunks] == [3, 3, 3, 2]
    unpacked = [each for _, sealed in chunks for each in unpack(sealer.open(sealed, ref.job_id.bytes))]
    rows = [row for rows, _ in chunks for row in rows]
    for n, (person, row) in enumerate(zip(people, rows, strict=True)):
        wanted = encode(
            provider_message(compose(what, person, account, None, None), {"job": ref.job_id.hex, "n": str(n)})
        )
        (own,) = [each for each in unpacked if each[0] == n]
        assert own == (n, person.to, wanted)
        assert list(unpack(wanted)) == [own], "as the first releases sealed it"
        assert (row.position, row.recipient_id, row.phone_mac) == (n, person.id, sealer.mac(person.to))
