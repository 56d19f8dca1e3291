"""The rules of single fields: whose object, which occurrence, which tenant, which mode."""

import json
from typing import Any

import pytest

from contracts.catalog import CATALOG, workflow_id
from contracts.jobs import JobRequest
from contracts.messaging import request_of
from contracts.queues import Poison, PoisonCode, parse
from tests.unit.bodies import AT, BODIES, UPLOAD, UUID

Body = dict[str, Any]


def accept(name: str, message_id: str = "m-1", /, **changes: Any) -> JobRequest:
    """The example `name` with fields changed; of an AI job, those of its payload."""
    queue, body = BODIES[name]
    if "payload" in body:
        changes = {"payload": body["payload"] | changes}
    return parse(queue, json.dumps(body | changes), message_id)


def envelope(name: str, queue: str | None = None, /, **changes: Any) -> JobRequest:
    at, body = BODIES[name]
    return parse(queue or at, json.dumps(body | changes), "m-1")


def refuse(code: PoisonCode, name: str, /, **changes: Any) -> str:
    with pytest.raises(Poison) as caught:
        accept(name, **changes)
    assert caught.value.code == code
    return caught.value.detail


def test_an_encode_is_named_by_its_time_or_its_job_id() -> None:
    older, later = accept("encode"), accept("encode with job_id")
    assert older.idempotency_key == f"101:{AT}:1"
    assert older.external_id is None
    assert older.payload == {"video_id": 101, "file_key": UPLOAD, "tenant_code": "limglish"}
    assert later.idempotency_key == f"{UUID}:2"
    assert later.external_id == UUID
    assert older.subject == later.subject
    assert older.payload_sha256 == later.payload_sha256
    assert accept("encode with job_id", job_id=UUID.upper(), created_at=None) == later


def test_another_attempt_is_a_new_occurrence_of_the_same_wish() -> None:
    for name in ("encode", "encode with job_id"):
        first, again = accept(name), accept(name, attempt=3)
        assert first.job_id != again.job_id
        assert first.payload_sha256 == again.payload_sha256
        assert first.subject == again.subject


def test_what_columns_cannot_hold_is_refused() -> None:
    attempts: list[Any] = [-1, 2**31, True, "1"]
    for attempt in attempts:
        assert "attempt" in refuse(PoisonCode.INVALID_FIELD, "encode", attempt=attempt)
    assert "tenant_code" in refuse(PoisonCode.INVALID_FIELD, "encode", tenant_code="a" * 65)


def test_another_file_is_another_subject() -> None:
    other = accept("encode", file_key=UPLOAD + ".mov")
    assert other.subject != accept("encode").subject
    assert other.payload_sha256 != accept("encode").payload_sha256


@pytest.mark.parametrize("name", ["encode", "delete"])
@pytest.mark.parametrize("key", ["tenants/8/video/raw/a.mp4", "tenants/70/video/raw/a", "secret.env"])
def test_another_tenants_upload_is_foreign(name: str, key: str) -> None:
    assert "file_key" in refuse(PoisonCode.FOREIGN_KEY_PREFIX, name, file_key=key)


@pytest.mark.parametrize("name", ["encode", "delete", "ocr"])
@pytest.mark.parametrize(
    "key",
    [
        "tenants/7/video/raw/../../../8/a.mp4",
        "tenants/7/video/raw/./a.mp4",
        "tenants/7/video/raw//a.mp4",
        "tenants/7/video/raw/",
        "tenants/7/video/raw/a\n.mp4",
        "/tenants/7/video/raw/a",
        "tenants/7/video/raw/" + "a" * 481,
    ],
)
def test_an_unsafe_key_is_refused(name: str, key: str) -> None:
    assert "file_key" in refuse(PoisonCode.INVALID_FIELD, name, file_key=key)


def test_a_key_of_500_characters_passes() -> None:
    accept("encode", file_key="tenants/7/video/raw/" + "a" * 480)


def test_a_delete_erases_one_video_only() -> None:
    plain = accept("delete")
    assert plain.idempotency_key == f"101:{AT}"
    assert plain.subject == "video.delete:101"
    assert plain.payload == {"video_id": 101, "file_key": UPLOAD}
    assert accept("delete", hls_prefix="tenants/7/video/hls/101/") == plain
    assert accept("delete", file_key="").payload["file_key"] == ""
    for prefix in (
        "",
        "tenants/7/",
        "tenants/7/video/hls",
        "tenants/7/video/hls/",
        "tenants/7/video/hls/10",
        "tenants/7/video/hls/1011",
        "tenants/8/video/hls/101",
        "tenants/7/video/hls/101//",
    ):
        assert "hls_prefix" in refuse(PoisonCode.FOREIGN_KEY_PREFIX, "delete", hls_prefix=prefix)
    refuse(PoisonCode.FOREIGN_KEY_PREFIX, "delete", file_key="tenants/7/video/hls/102/master.m3u8")


def test_an_unknown_action_is_no_encode() -> None:
    actions: list[Any] = ["delete", "encode", "", 0, {}]
    for action in actions:
        refuse(PoisonCode.UNKNOWN_ACTION, "encode", action=action)
    assert accept("encode", action=None) == accept("encode")


def test_times_that_utc_cannot_hold_are_refused() -> None:
    times: list[Any] = ["9999-12-31T23:59:59-12:00", "yesterday", True, 10**30, [], {}]
    for at in times:
        assert "created_at" in refuse(PoisonCode.INVALID_FIELD, "encode", created_at=at)


def test_an_ai_tenant_is_a_number_in_digits_or_none() -> None:
    assert envelope("ocr", tenant_id="7") == envelope("ocr", tenant_id=7)
    assert accept("problem_generation").tenant_id is None
    for tenant in ("seven", "", "-7", "7.0", "٧", "9" * 5000, True):
        with pytest.raises(Poison, match="tenant_id"):
            envelope("ocr", tenant_id=tenant)


@pytest.mark.parametrize("name", ["excel_parsing", "attendance_excel_export", "ocr"])
def test_a_payload_cannot_name_another_tenant(name: str) -> None:
    refuse(PoisonCode.TENANT_MISMATCH, name, tenant_id=8)
    refuse(PoisonCode.TENANT_MISMATCH, name, tenant_id="8")


def test_a_payloads_tenant_is_the_jobs_where_the_envelope_has_none() -> None:
    assert envelope("excel_parsing", tenant_id=None).tenant_id == 7


def test_an_ai_key_below_tenants_is_the_tenants_own() -> None:
    accept("ocr", file_key="tenants/7/a.png")
    accept("ocr", file_key="legacy/a.png")
    refuse(PoisonCode.FOREIGN_KEY_PREFIX, "ocr", file_key="tenants/8/a.png")
    refuse(PoisonCode.FOREIGN_KEY_PREFIX, "ocr", file_key="tenants/70/a.png")
    refuse(PoisonCode.FOREIGN_KEY_PREFIX, "embedding", file_key="tenants/8/a.png")
    assert accept("problem_generation", file_key="tenants/7/a.png").tenant_id == 7  # which names no tenant


def test_the_queue_decides_the_tier() -> None:
    moved = envelope("ocr", "ai-premium", tier="lite")
    assert moved.payload["tier"] == "premium"
    assert moved.job_id == envelope("ocr").job_id
    assert moved.payload_sha256 == envelope("ocr").payload_sha256
    with pytest.raises(Poison, match="tier"):
        envelope("ocr", tier="gold")


def test_an_ai_payload_is_handed_on_without_our_defaults() -> None:
    link = BODIES["question_segmentation"][1]["payload"]
    assert accept("question_segmentation").payload == link | {
        "source_domain": "submissions",
        "source_id": "9001",
        "tier": "basic",
    }
    bare = envelope("question_segmentation", source_domain=None, source_id=None)
    assert bare.payload == link | {"tier": "basic"}
    assert envelope("ocr", source_id=9001) == envelope("ocr")


def test_job_types_of_others_wait_by_name() -> None:
    """Registered in the bridge alone; every process can deal with one that was accepted."""
    body = {"job_id": "j1", "job_type": "exam_review", "tenant_id": "7", "payload": {"any": [1]}}
    with pytest.raises(Poison) as caught:
        parse("ai-basic", json.dumps(body), "m1")
    assert caught.value.code == PoisonCode.UNKNOWN_JOB_TYPE
    request = parse("tools", json.dumps(body), "m1", {"exam_review"})
    assert (request.job_type, request.tenant_id) == ("external.exam_review", 7)
    assert request.payload == {"any": [1], "tier": "basic"}
    assert workflow_id(request).startswith("external.exam_review-t7-")
    row = CATALOG[request.job_type]
    assert (row.workflow, row.activity_queue, row.kept_for_retry) == ("job.run", "external", False)
    assert (
        parse(
            "ai-lite",
            json.dumps(body | {"job_type": "ocr", "payload": {"file_key": "a.pdf"}}),
            "m1",
            {"exam_review"},
        ).job_type
        == "ai.ocr"
    )
    foreign = body | {"payload": {"file_key": "tenants/8/a.pdf"}}
    with pytest.raises(Poison, match="prefix"):
        parse("tools", json.dumps(foreign), "m1", {"exam_review"})
    assert "external.exam_review" not in CATALOG
    with pytest.raises(KeyError):
        CATALOG["ai.exam_review"]


def test_ai_types_and_ids_are_known() -> None:
    with pytest.raises(Poison) as caught:
        envelope("ocr", job_type="ocr2")
    assert caught.value.code == PoisonCode.UNKNOWN_JOB_TYPE
    for job_id in ("", "a b", "a/b", "a\n", "a" * 101, 5):
        with pytest.raises(Poison, match="job_id"):
            envelope("ocr", job_id=job_id)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("omr_grading", {"question_count": 0}),
        ("omr_grading", {"question_count": "many"}),
        ("ocr", {"questions": [{"exam_question_id": 5, "number": -1}]}),
        ("ocr", {"engine": "clova"}),
        ("ocr", {"mode": "fax"}),
        ("ocr", {"download_url": "file:///etc/passwd"}),
        ("staff_excel_export", {"month": 13}),
        ("staff_excel_export", {"year": 26}),
        ("embedding", {"texts": []}),
        ("excel_parsing", {"initial_password": ""}),
    ],
)
def test_ai_values_outside_the_contract_are_refused(name: str, changes: Body) -> None:
    assert next(iter(changes)) in refuse(PoisonCode.INVALID_FIELD, name, **changes)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("encode", {"created_at": 1772442931, "attempt": 2, "tenant_code": "other"}),
        ("delete", {"created_at": 1772442931}),
        ("ocr", {"download_url": "https://files.example.com/9001.jpg?X-Amz-Signature=bb"}),
        ("sms", {"created_at": 1772442931}),
    ],
)
def test_what_differs_between_two_sends_is_not_hashed(name: str, changes: Body) -> None:
    assert accept(name, **changes).payload_sha256 == accept(name).payload_sha256


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("encode", {"video_id": 102}),
        ("delete", {"file_key": ""}),
        ("ocr", {"file_key": "tenants/7/other.png"}),
        ("ocr", {"questions": None}),
        ("omr_grading", {"question_count": 30}),
        ("excel_parsing", {"initial_password": "made-up-4321"}),
        ("staff_excel_export", {"month": 4}),
        ("embedding", {"texts": ["로그"]}),
        ("sms", {"to": "01000000001"}),
        ("sms", {"text": "다른 말"}),
        ("sms", {"message_mode": "both"}),
        ("alimtalk", {"alimtalk_replacements": [{"key": "name", "value": "이몽룡"}]}),
        ("message of the later producer", {"target_id": 4002}),
    ],
)
def test_what_was_asked_for_is_hashed(name: str, changes: Body) -> None:
    assert accept(name, **changes).payload_sha256 != accept(name).payload_sha256


@pytest.mark.parametrize(
    ("mode", "alimtalk_first", "resolved"),
    [
        ("sms", True, "sms"),
        ("alimtalk", None, "alimtalk"),
        ("both", False, "both"),
        (" SMS\n", True, "sms"),
        ("AlimTalk", False, "alimtalk"),
        ("  ", True, "both"),
        (None, True, "both"),
        ("", True, "both"),
        (None, False, "sms"),
        (None, None, "sms"),
    ],
)
def test_the_mode_is_resolved(mode: Any, alimtalk_first: bool | None, resolved: str) -> None:
    request = accept("sms", message_mode=mode, use_alimtalk_first=alimtalk_first)
    assert request.payload["message_mode"] == resolved


@pytest.mark.parametrize("mode", ["pigeon", 5, ["sms"], "sms,alimtalk", True])
def test_an_unknown_mode_is_refused(mode: Any) -> None:
    assert "message_mode" in refuse(PoisonCode.INVALID_FIELD, "sms", message_mode=mode)


def test_a_message_is_of_the_academy_that_shares_a_channel() -> None:
    shared = accept("sms", tenant_id=70, source_tenant_id=7)
    assert (shared.tenant_id, shared.payload["channel_tenant_id"]) == (7, 70)
    assert accept("sms", source_tenant_id=7) == accept("sms")
    key = "tenants/7/sheet.pdf"
    assert envelope("ocr", tenant_id=70, source_tenant_id="7").tenant_id == 7
    assert envelope("ocr", tenant_id=None, source_tenant_id=7, payload={"file_key": key}).tenant_id == 7
    with pytest.raises(Poison, match="FOREIGN_KEY_PREFIX"):
        envelope("ocr", tenant_id=70, source_tenant_id=8, payload={"file_key": key})


def test_a_time_that_is_none_says_nothing() -> None:
    for odd in ("yesterday", None, {}, "", -1e30):
        assert "created_at" not in accept("sms", created_at=odd).payload


def test_the_key_names_the_tenant_where_nobody_does() -> None:
    def tenant(key: str) -> int | None:
        return envelope("ocr", tenant_id=None, payload={"file_key": key}).tenant_id

    assert tenant("tenants/7/ai/sheet.pdf") == 7
    assert tenant("uploads/sheet.pdf") is None
    for nobodys in ("tenants/007/a.pdf", "tenants/x/a.pdf", f"tenants/{2**63}/a.pdf", "tenants/0/a.pdf"):
        with pytest.raises(Poison, match="FOREIGN_KEY_PREFIX"):
            tenant(nobodys)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("ocr", {"omr": {"sheet_id": None}}),
        ("ocr", {"omr": {}}),
        ("ocr", {"questions": [{"exam_question_id": 5, "number": 0}]}),
        ("ocr", {"questions": [{"exam_question_id": 5, "number": "0"}]}),
        ("omr_grading", {"question_count": "20"}),
        ("omr_grading", {"question_count": 25}),
    ],
)
def test_submissions_of_the_documented_day(name: str, changes: Body) -> None:
    assert accept(name, **changes).payload.keys() >= changes.keys()


def test_a_queue_of_several_tiers_leaves_the_tier_to_the_body() -> None:
    for queue in ("ai", "tools"):
        assert envelope("ocr", queue, tier="premium").payload["tier"] == "premium"
        assert envelope("ocr", queue, tier=None).payload["tier"] == "basic"
    assert envelope("ocr", "ai-lite", tier="premium").payload["tier"] == "lite"


def test_deletions_may_have_a_queue_of_their_own() -> None:
    assert envelope("delete", "video-delete") == replaced_source(accept("delete"), "sqs:video-delete")


def replaced_source(request: JobRequest, source: str) -> JobRequest:
    return request.model_copy(update={"source": source})


def test_a_message_is_named_by_its_business_key_or_by_sqs() -> None:
    key = "a3" * 32
    name = "message of the later producer"
    assert accept(name).idempotency_key == key
    assert accept(name, "m-2") == accept(name, "m-1")
    assert accept(name, business_idempotency_key=key.upper()).idempotency_key == key
    assert accept("sms").idempotency_key == "sqs:m-1"
    assert accept("sms", business_idempotency_key="").idempotency_key == "sqs:m-1"
    assert accept("sms").external_id is None
    for bad in ("a3", "g" * 64, 5):
        assert "business_idempotency_key" in refuse(
            PoisonCode.INVALID_FIELD, name, business_idempotency_key=bad
        )


def test_a_message_needs_somebody_and_something() -> None:
    for empty in ("", "  ", None, "a" * 10_001):
        assert "SendMessage: to " in refuse(PoisonCode.INVALID_FIELD, "sms", to=empty)
        assert "SendMessage: text " in refuse(PoisonCode.INVALID_FIELD, "sms", text=empty)


@pytest.mark.parametrize(
    ("changes", "payload"),
    [
        ({"to": 1012345678}, {"to": "1012345678"}),
        ({"sender": 212345678}, {"sender": "212345678"}),
        ({"reservation_id": "12"}, {"reservation_id": 12}),
        ({"reservation_id": ""}, {}),
        ({"reservation_id": 0}, {}),
        ({"source_tenant_id": ""}, {}),
        ({"event_type": 3, "occurrence_key": 20260302}, {"event_type": "3", "occurrence_key": "20260302"}),
        ({"target_type": 3, "target_id": 1.5}, {"target_type": "3", "target_id": "1.5"}),
        ({"alimtalk_replacements": {}}, {}),
        ({"alimtalk_replacements": ""}, {}),
        ({"created_at": 0}, {"created_at": None}),
        ({"created_at": "0"}, {"created_at": None}),
        ({"text": 3}, {"text": "3"}),
    ],
)
def test_blanks_are_nothing_and_numbers_are_their_digits(
    changes: dict[str, Any], payload: dict[str, Any]
) -> None:
    wanted = {name: each for name, each in (accept("sms").payload | payload).items() if each is not None}
    assert accept("sms", **changes).payload == wanted


def test_an_alimtalk_needs_no_text_and_a_value_that_is_null_is_none() -> None:
    for empty in ("", None):
        assert request_of("messaging.send", accept("alimtalk", text=empty).payload).draft.text == ""
    replacements = [{"key": "n", "value": None}, {"key": "m", "value": 95}]
    request = accept("alimtalk", alimtalk_replacements=replacements, tenant_id="7", source_tenant_id="8")
    assert (request.tenant_id, request.payload["channel_tenant_id"]) == (8, 7)
    (person,) = request_of("messaging.send", request.payload).recipients
    assert person.variables == {"m": "95"}


def test_null_and_absent_are_the_same_message() -> None:
    assert accept("sms", template_id=None, alimtalk_replacements=None) == accept("sms")
    assert accept("sms").payload.keys() == {"to", "text", "message_mode", "created_at"}
    assert accept("alimtalk", alimtalk_replacements=[{"key": "n", "value": 3}]).payload[
        "alimtalk_replacements"
    ] == [{"key": "n", "value": "3"}]
