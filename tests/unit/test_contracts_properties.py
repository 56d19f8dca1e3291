"""Properties of every queue body: what must hold for all valid bodies of a type, not for chosen ones."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.catalog import CATALOG, ai_payloads
from contracts.jobs import JobRequest
from contracts.queues import Poison, PoisonCode, parse
from tests.unit.bodies import BODIES

Body = dict[str, Any]

ids = st.integers(1, 2**63 - 1)
letters = st.characters(codec="utf-8", exclude_characters="\0")
words = st.text(letters, min_size=1, max_size=20)
filled = words.filter(lambda text: text.strip())
segments = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="/"), min_size=1, max_size=12
).filter(lambda segment: segment not in (".", ".."))
keys = st.lists(segments, min_size=1, max_size=4).map("/".join)
zones = st.sampled_from(["UTC", "Asia/Seoul", "Asia/Kathmandu", "America/New_York"]).map(ZoneInfo)
times = st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1), timezones=zones)
stamps = st.one_of(
    times.map(datetime.isoformat),
    st.integers(10**9, 4 * 10**9),
    st.floats(1e9, 4e9),
    st.integers(10**9, 4 * 10**9).map(str),
)
plain_json = st.recursive(
    st.none() | st.booleans() | ids | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
extras = st.dictionaries(words.map(lambda word: f"x_{word}"), plain_json, min_size=1, max_size=3)
references = ids | words


def a(required: Body, **optional: Any) -> st.SearchStrategy[Body]:
    return st.fixed_dictionaries(required, optional=optional)


@st.composite
def encodes(draw: st.DrawFn, later: bool) -> Body:
    tenant = draw(ids)
    own = {"tenant_id": st.just(tenant), "video_id": ids, "attempt": st.integers(0, 9)}
    named = {"job_id": st.uuids().map(str)} if later else {"tenant_code": words}
    key = draw(keys)
    return draw(
        a(own | named | {"file_key": st.just(f"tenants/{tenant}/video/raw/{key}"), "created_at": stamps})
    )


@st.composite
def deletes(draw: st.DrawFn) -> Body:
    tenant, video = draw(ids), draw(ids)
    raw = keys.map(lambda key: f"tenants/{tenant}/video/raw/{key}")
    hls = f"tenants/{tenant}/video/hls/{video}"
    return {
        "action": "delete_r2",
        "tenant_id": tenant,
        "video_id": video,
        "file_key": draw(raw | st.just("")),
        "hls_prefix": draw(st.sampled_from([hls, hls + "/"])),
        "created_at": draw(stamps),
    }


messages = a(
    {"tenant_id": ids, "to": filled, "text": filled},
    created_at=stamps,
    sender=st.none() | words,
    message_mode=st.sampled_from(["sms", "alimtalk", "both", " Both ", "SMS", "", None]),
    use_alimtalk_first=st.none() | st.booleans(),
    reservation_id=st.none() | ids,
    template_id=st.none() | words,
    alimtalk_replacements=st.none() | st.lists(a({"key": words, "value": words}), max_size=2),
    business_idempotency_key=st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex),
    event_type=st.none() | words,
    occurrence_key=st.none() | words,
    target_type=st.none() | words,
    target_id=st.none() | references,
)

links = words.map(lambda word: f"https://files.example.com/{word}")
question = a(
    {"exam_question_id": references, "number": st.integers(0, 50)},
    region_meta=plain_json.map(lambda v: {"v": v}),
)
submission: Body = {
    "submission_id": references,
    "target_type": words,
    "target_id": references,
    "mode": st.sampled_from(["scan", "photo", "auto"]),
    "questions": st.none() | st.lists(question, max_size=3),
    "omr": st.none() | a({"sheet_id": st.none() | references}),
    "download_url": links,
}
own_keys = keys.map(lambda key: f"uploads/{key}")
tenant_text = st.just("7") | st.just(7)
AI_PAYLOADS: dict[str, st.SearchStrategy[Body]] = {
    "ocr": a({"file_key": own_keys}, engine=st.sampled_from(["google", "tesseract", "auto"]), **submission),
    "omr_grading": a(
        {"file_key": own_keys},
        question_count=st.sampled_from([10, 20, 30, "20", 25]),
        template_meta=extras,
        **submission,
    ),
    "homework_video_analysis": a({"file_key": own_keys}, **submission),
    "question_segmentation": a({"download_url": links}),
    "handwriting_analysis": a({"download_url": links}),
    "excel_parsing": a(
        {"file_key": own_keys, "bucket": words, "tenant_id": tenant_text, "initial_password": words},
        lecture_id=ids,
        session_id=st.none() | ids,
    ),
    "attendance_excel_export": a({"tenant_id": tenant_text, "lecture_id": ids | ids.map(str)}),
    "roster_undo": a({"tenant_id": tenant_text, "roster_job_id": ids.map(str)}),
    "staff_excel_export": a(
        {"tenant_id": tenant_text, "year": st.integers(2000, 2100), "month": st.integers(1, 12)}
    ),
    "embedding": a({"texts": st.lists(words, min_size=1, max_size=4)}, backend=st.none() | words),
    "problem_generation": a({"ocr_text": words}, model=st.none() | words),
    "transcription": a({"video_id": ids | ids.map(str)}, file_key=st.none() | own_keys),
    "captions": a(
        {"video_id": ids | ids.map(str), "file_key": own_keys},
        language=st.sampled_from([None, "ko", "zh-Hans"]),
        name=st.sampled_from([None, "한국어"]),
        default=st.booleans(),
    ),
}


def ai(job_type: str) -> st.SearchStrategy[Body]:
    return a(
        {
            "job_id": st.from_regex(r"[A-Za-z0-9._:-]{1,100}", fullmatch=True),
            "job_type": st.just(job_type),
            "payload": AI_PAYLOADS[job_type],
        },
        tier=st.sampled_from(["lite", "basic", "premium"]),
        tenant_id=st.sampled_from(["7", 7, None]),
        source_domain=st.none() | words,
        source_id=st.none() | references,
        created_at=stamps,
        attempt=st.integers(1, 9),
    )


# type -> queue, valid bodies, paths of what is needed
Kind = tuple[str, st.SearchStrategy[Body], list[str]]
KINDS: dict[str, Kind] = {
    "encode": ("video", encodes(later=False), ["tenant_id", "video_id", "file_key", "created_at"]),
    "encode with job_id": ("video", encodes(later=True), ["tenant_id", "video_id", "file_key"]),
    "delete": ("video", deletes(), ["tenant_id", "video_id", "hls_prefix", "created_at"]),
    "message": ("messaging", messages, ["tenant_id", "to"]),
}
AI_NEEDS = {
    "excel_parsing": ["tenant_id", "file_key", "bucket", "initial_password"],
    "attendance_excel_export": ["tenant_id", "lecture_id"],
    "roster_undo": ["tenant_id", "roster_job_id"],
    "staff_excel_export": ["tenant_id", "year", "month"],
    "question_segmentation": ["download_url"],
    "handwriting_analysis": ["download_url"],
    "embedding": ["texts"],
    "problem_generation": ["ocr_text"],
    "captions": ["video_id", "file_key"],
}
for name in AI_PAYLOADS:
    needs = ["job_id", "job_type", "payload", *(f"payload.{field}" for field in AI_NEEDS.get(name, []))]
    KINDS[name] = ("ai-basic", ai(name), needs)

every_kind = pytest.mark.parametrize("kind", KINDS)


def accept(queue: str, body: Body, message_id: str = "m-1") -> JobRequest:
    return parse(queue, json.dumps(body), message_id)


def without(body: Body, path: str) -> Body:
    *parents, field = path.split(".")
    inner = body = deepcopy(body)
    for parent in parents:
        inner = inner[parent]
    del inner[field]
    return body


def test_every_job_type_has_a_strategy_and_an_example() -> None:
    examples = {accept(*example).job_type for example in BODIES.values()}
    assert AI_PAYLOADS.keys() == ai_payloads().keys()
    over_http = {"messages.send", "video.trim", "video.download"}
    assert examples == CATALOG.keys() - over_http - {"messages.digest"}  # which no producer asks for


@every_kind
@given(data=st.data(), extra=extras)
def test_a_valid_body_parses_and_again_with_extra_fields_to_the_same_request(
    kind: str, data: st.DataObject, extra: Body
) -> None:
    queue, bodies, _ = KINDS[kind]
    body = data.draw(bodies)
    first, second, richer = accept(queue, body), accept(queue, body), accept(queue, body | extra)
    assert first == second == richer
    assert first.job_id == second.job_id
    assert first.source == f"sqs:{queue}"
    assert first.job_type in CATALOG
    json.dumps(first.payload, allow_nan=False).encode()


@pytest.mark.parametrize("job_type", AI_PAYLOADS)
@settings(max_examples=20)
@given(data=st.data(), extra=extras)
def test_extra_fields_of_an_ai_payload_travel_on(job_type: str, data: st.DataObject, extra: Body) -> None:
    body = data.draw(ai(job_type))
    plain = accept("ai-basic", body)
    richer = accept("ai-basic", body | {"payload": body["payload"] | extra})
    assert richer.payload == plain.payload | extra
    assert richer.payload_sha256 != plain.payload_sha256
    assert richer.job_id == plain.job_id


@every_kind
@settings(max_examples=10)
@given(data=st.data())
def test_a_missing_field_is_named(kind: str, data: st.DataObject) -> None:
    queue, bodies, needs = KINDS[kind]
    body = data.draw(bodies)
    for path in needs:
        with pytest.raises(Poison) as caught:
            accept(queue, without(body, path))
        assert caught.value.code == PoisonCode.INVALID_FIELD
        assert path.rsplit(".", 1)[-1] in caught.value.detail


@pytest.mark.parametrize("job_type", ["ocr", "omr_grading", "homework_video_analysis"])
def test_a_submission_without_key_and_link_names_both(job_type: str) -> None:
    queue, body = BODIES[job_type]
    for one in ("file_key", "download_url"):
        accept(queue, without(body, f"payload.{one}"))
    with pytest.raises(Poison, match=r"download_url.*file_key"):
        accept(queue, without(without(body, "payload.file_key"), "payload.download_url"))


@given(at=times, body=encodes(later=False))
def test_equal_times_are_equal_occurrences(at: datetime, body: Body) -> None:
    at = at.replace(microsecond=0)
    seconds = int(at.timestamp())
    utc = datetime.fromtimestamp(seconds, UTC)
    forms = [
        at.isoformat(),
        utc.isoformat(),
        utc.isoformat().replace("+00:00", "Z"),
        utc.replace(tzinfo=None).isoformat(),
        seconds,
        float(seconds),
        str(seconds),
    ]
    assert len({accept("video", body | {"created_at": form}).job_id for form in forms}) == 1
