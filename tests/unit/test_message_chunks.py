"""Requests stay below both limits, and together hold every message once and in order."""

import json
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.messaging import composing
from activities.messaging.composing import Job, composed_chunks
from activities.messaging.requested import Problems
from clients.keys import Sealer
from contracts.errors import DUPLICATE_RECIPIENT, MESSAGE_TOO_LARGE, VARIABLE_MISSING
from contracts.jobs import JobRef
from contracts.messaging import Account, Button, Draft, Mode, Recipient, SendRequest, Template
from rules.messaging.chunks import MAX_BYTES, MAX_COUNT, encode, split, unpack
from rules.messaging.compose import compose, provider_message
from rules.messaging.unsendable import Unsendable

messages = st.lists(st.fixed_dictionaries({"to": st.text(max_size=5), "text": st.text(max_size=40)}))

S, NAMES = "0212345678", ("하늘", ',"text":""', '"}}', "\\")


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


def test_who_shares_a_phone_is_told_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composing, "split", partial(split, max_count=2))
    people = [
        Recipient(id="하늘", to="010-2000-0001", variables={"이름": "김하늘", "반": "A", "점수": "95"}),
        Recipient(id="보라", to="01020000002", variables={"이름": "이보라", "반": "A", "점수": "70"}),
        Recipient(id="바다", to="+82 10 2000 0001", variables={"이름": "김바다", "반": "A", "#{점수}": "95"}),
        Recipient(id="솔", to="01020000003", variables={"이름": "최솔", "반": "B", "점수": "80"}),
        Recipient(id="구름", to="01020000001", variables={"이름": "김구름", "반": "A", "점수": "80"}),
    ]
    account = Account(tenant_id=1, sender="0212345678", sender_numbers=frozenset(["0212345678"]))
    what = Draft(text="#{이름} #{반} #{점수}", one_per_phone=True)
    ref, sealer = JobRef(job_id=uuid4(), tenant_id=1, job_type="messages.send"), Sealer(1, bytes(32))
    job = Job(ref, SendRequest(draft=what), people, account, None, None, sealer)
    chunks = list(composed_chunks(job, None))
    rows = {
        row.recipient_id: (row.position, row.chunk, row.merged_into) for rows, _ in chunks for row in rows
    }
    assert rows == {
        "하늘": (0, 0, None),
        "바다": (2, 0, 0),
        "구름": (4, 0, 0),
        "보라": (1, 0, None),
        "솔": (3, 1, None),
    }
    texts = {
        position: json.loads(encoded)["text"]
        for _, sealed in chunks
        for position, _, encoded in unpack(sealer.open(sealed, ref.job_id.bytes))
    }
    assert texts == {0: "김하늘, 김바다, 김구름 A 95, 95, 80", 1: "이보라 A 70", 3: "최솔 B 80"}
    (note,) = job.notes
    assert (note.code, note.recipients) == ("TOLD_TOGETHER", 2)


@pytest.mark.parametrize(
    ("odd", "code"), [({"variables": {}}, VARIABLE_MISSING), ({"id": "하늘"}, DUPLICATE_RECIPIENT)]
)
def test_what_is_wrong_with_one_of_them_names_that_one(odd: dict[str, object], code: str) -> None:
    first = Recipient(id="하늘", to="01020000001", variables={"이름": "김하늘"})
    second = first.model_copy(update={"id": "바다"} | odd)
    account = Account(tenant_id=1, sender="0212345678", sender_numbers=frozenset(["0212345678"]))
    ref, what = JobRef(job_id=uuid4(), tenant_id=1, job_type="messages.send"), Draft(text="#{이름}")
    request = SendRequest(draft=what.model_copy(update={"one_per_phone": True}))
    with pytest.raises(Problems) as problems:
        list(
            composed_chunks(
                Job(ref, request, [first, second], account, None, None, Sealer(1, bytes(32))), None
            )
        )
    assert [(each["recipient"], each["code"]) for each in problems.value.found] == [(1, code)]


def test_a_text_that_is_not_sent_separates_nobody() -> None:
    """An Alimtalk without fallback has a text that nobody gets: what it asks for is nobody's lack."""
    people = [Recipient(id=name, to="01020000001", variables={"이름": name}) for name in ("김하늘", "김바다")]
    account = Account(
        tenant_id=1, sender="0212345678", sender_numbers=frozenset(["0212345678"]), pf_id="KA01PF"
    )
    template = Template(id="KA01TP", pf_id="KA01PF", status="APPROVED", content="#{이름} 등원")
    ref, sealer = JobRef(job_id=uuid4(), tenant_id=1, job_type="messages.send"), Sealer(1, bytes(32))
    what = Draft(mode="alimtalk", text="#{반} 등원", template_id="KA01TP", one_per_phone=True)
    ((rows, sealed),) = composed_chunks(
        Job(ref, SendRequest(draft=what), people, account, template, None, sealer), None
    )
    assert [row.merged_into for row in rows] == [None, 0]
    ((_, _, encoded),) = unpack(sealer.open(sealed, ref.job_id.bytes))
    assert json.loads(encoded)["kakaoOptions"]["variables"] == {"#{이름}": "김하늘, 김바다"}


@pytest.mark.parametrize(
    "text",
    [
        "#{이름} https://a.kr/#{표}?x=1",
        "#{이름} 성적: a.kr/r/#{표}",
        "#{이름} www.a.kr#{ 표 }",
        "#{이름} 알림",
    ],
)
@pytest.mark.parametrize("mode", ["sms", "alimtalk"])
def test_who_has_a_page_of_their_own_gets_a_message_of_their_own(text: str, mode: Mode) -> None:
    """Two values in one address open nothing."""
    pages = [("하늘", "a"), ("바다", "b"), ("구름", "a")]
    people = [
        Recipient(id=name, to="01020000001", variables={"이름": name, "표": own, "주소": own})
        for name, own in pages
    ]
    account = Account(tenant_id=1, sender="0212345678", sender_numbers=frozenset(["0212345678"]), pf_id="P")
    button = Button(type="WL", name="성적", link_mobile="#{주소}") if "알림" in text else None
    template = Template(
        id="T", pf_id="P", status="APPROVED", content=text, buttons=(button,) if button else ()
    )
    what = Draft(mode=mode, text=text, one_per_phone=True)
    ref, sealer = JobRef(job_id=uuid4(), tenant_id=1, job_type="messages.send"), Sealer(1, bytes(32))
    used = template if mode == "alimtalk" else None
    ((rows, _),) = composed_chunks(
        Job(ref, SendRequest(draft=what), people, account, used, None, sealer), None
    )
    together = {row.recipient_id: row.merged_into for row in rows}
    has_page = "표" in text or mode == "alimtalk"
    assert together == {"하늘": None, "바다": None if has_page else 0, "구름": 0}


@pytest.mark.parametrize("text", ['내일은 "휴원"입니다.\n', "#{이름} \\ 학생"], ids=["one text", "variables"])
def test_what_is_sealed_is_what_each_was_composed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are stored once for all who share them; each still gets their own message, in its chunk."""
    monkeypatch.setattr(composing, "split", partial(split, max_count=3))
    people = [
        Recipient(id=str(n), to=f"0102000{n:04}", variables={"이름": f"학생{n % 4}"} if "#" in text else {})
        for n in range(11)
    ]
    account = Account(tenant_id=1, sender="0212345678", sender_numbers=frozenset(["0212345678"]))
    sealer, what = Sealer(1, bytes(32)), Draft(text=text)
    ref = JobRef(job_id=uuid4(), tenant_id=1, job_type="messages.send")
    job = Job(ref, SendRequest(draft=what), people, account, None, None, sealer)
    chunks = list(composed_chunks(job, None))
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


@pytest.mark.parametrize("text", ['"} #{이름}', ',"text":"" #{이름}', "\\#{이름}\n줄", "#{이름}" + "가" * 60])
@pytest.mark.parametrize("subject", [None, '안내 "#{이름}"', ',"text":""'])
def test_what_is_written_once_is_what_each_would_be(text: str, subject: str | None) -> None:
    """Whatever its text and its subject hold."""
    draft, account = Draft(text=text, subject=subject), Account(tenant_id=7, sender=S, sender_numbers={S})
    people = [
        Recipient(id=f"{n}", to=f"0102000000{n}", variables={"이름": name}) for n, name in enumerate(NAMES)
    ]
    ref = JobRef(job_id=uuid4(), job_type="messages.send", tenant_id=7)
    job = Job(ref, SendRequest(draft=draft), people, account, None, None, Sealer(1, b"k" * 32))
    ((_, sealed),) = composed_chunks(job, None)
    for position, _, written in unpack(job.sealer.open(sealed, ref.job_id.bytes)):
        custom = {"job": ref.job_id.hex, "n": str(position)}
        composed = compose(draft, people[position], account, None, None)
        assert written == encode(provider_message(composed, custom))
