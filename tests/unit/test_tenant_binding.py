"""Who may name another academy in a queue's body: who has signed it."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from api.schemas import job_request
from clients.queues import QueueMessage
from clients.settings import Settings
from clients.settings_sources import Process, read
from contracts.jobs import JobRequest
from contracts.queues import Poison, PoisonCode, parse
from contracts.queues.binding import FIELD, bound
from tests.unit.bodies import BODIES, UUID
from tests.unit.test_settings import NEEDED
from workers.binding import UNCHECKED, TenantBindings
from workers.bridge import _parsed
from workers.bridge_main import bindings_of
from workers.dead_letters import DeadLetters
from workers.visibility import VisibilityLease

KEY, NEXT, FOREIGN = (letter * 32 for letter in (b"k", b"n", b"f"))
OCCASION = "ab" * 32
ROOT = Path(__file__).parents[2]
EXAMPLE = "60745da5e308ff8b5ea6b70c27d8f79c6c42bd9711c52ba7cae21fc74fe663ff"
# Of every queue, one that names two academies.
SHARED: dict[str, dict[str, Any]] = {
    "sms": {"tenant_id": 70, "source_tenant_id": 7, "business_idempotency_key": OCCASION},
    "ocr": {"tenant_id": "70", "source_tenant_id": "7", "payload": {"file_key": "tenants/7/sheet.pdf"}},
    "embedding": {"tenant_id": None, "source_tenant_id": 7, "payload": {"tenant_id": 70, "texts": ["x"]}},
    "encode with job_id": {"source_tenant_id": 70},
}
CASES = pytest.mark.parametrize("name", SHARED)


def body_of(name: str, /, **changes: Any) -> dict[str, Any]:
    return BODIES[name][1] | SHARED[name] | changes


def signed(name: str, key: bytes = KEY, /, **changes: Any) -> dict[str, Any]:
    """As a producer does it that has `key`, with fields changed afterwards."""
    body = body_of(name)
    binding = bound(BODIES[name][0], body)
    assert binding
    return body | {FIELD: binding.sign(key)} | changes


def asked(name: str, body: dict[str, Any], bindings: TenantBindings | None = None) -> JobRequest:
    queue = BODIES[name][0]
    bindings = bindings or TenantBindings((KEY, NEXT), "require")
    return parse(queue, json.dumps(body), "m-1", check=bindings.of(queue))


def refused(name: str, body: dict[str, Any]) -> PoisonCode:
    with pytest.raises(Poison) as caught:
        asked(name, body)
    assert not any(str(value) in str(caught.value) for value in (OCCASION, body.get(FIELD) or OCCASION))
    return caught.value.code


def test_what_a_producer_computes() -> None:
    """The example of docs/messages.md."""
    binding = bound("messaging", body_of("sms", business_idempotency_key="9f" * 32))
    assert binding
    given = binding.sign(b"an-example-key-that-nobody-should-use")
    assert given == EXAMPLE and EXAMPLE in (ROOT / "docs/messages.md").read_text()


@CASES
def test_what_is_signed_is_as_without_a_key(name: str) -> None:
    plain = asked(name, body_of(name), UNCHECKED)
    for key in (KEY, NEXT):
        assert asked(name, signed(name, key)) == plain
    for odd in ("wrong", 5, None, ["x"], {"a": 1}):  # without a key nobody looks
        assert asked(name, body_of(name) | {FIELD: odd}, UNCHECKED) == plain


@CASES
@pytest.mark.parametrize("missing", [{}, {FIELD: None}, {FIELD: ""}])
def test_a_signature_is_missing(name: str, missing: dict[str, Any]) -> None:
    assert refused(name, body_of(name) | missing) is PoisonCode.TENANT_BINDING_MISSING


@CASES
def test_a_signature_is_wrong(name: str) -> None:
    good = signed(name)
    wrong = [signed(name, FOREIGN), *(good | {FIELD: odd} for odd in (5, ["x"], good[FIELD][:-1], "한글"))]
    field = "business_idempotency_key" if name == "sms" else "job_id"
    other = {"business_idempotency_key": "cd" * 32, "job_id": UUID.replace("1", "2") + ""}[field]
    wrong += [good | {field: other}]  # caught, and written into another request
    for body in wrong:
        assert refused(name, body) is PoisonCode.TENANT_BINDING_WRONG, body


def test_a_signature_of_other_academies() -> None:
    for changes in ({"tenant_id": 71}, {"source_tenant_id": 8}, {"tenant_id": 7, "source_tenant_id": 70}):
        assert refused("sms", signed("sms", KEY, **changes)) is PoisonCode.TENANT_BINDING_WRONG
    one = body_of("sms", source_tenant_id=None)
    assert asked("sms", one).tenant_id == 70
    assert refused("sms", one | {FIELD: signed("sms")[FIELD]}) is PoisonCode.TENANT_BINDING_WRONG


@pytest.mark.parametrize("name", ["sms", "ocr"])
def test_however_an_id_is_spelled_it_is_the_same_one(name: str) -> None:
    """Where a field takes digits, it takes them with any number of zeros before."""
    for owner, academy in (("70", "07"), ("0" * 18 + "70", "0" * 30 + "7"), (70, "0" * 40 + "7")):
        odd = {"tenant_id": owner, "source_tenant_id": academy}
        assert asked(name, body_of(name) | odd, UNCHECKED).tenant_id == 7
        assert refused(name, body_of(name) | odd) is PoisonCode.TENANT_BINDING_MISSING
        assert asked(name, signed(name) | odd).tenant_id == 7
    one = {"tenant_id": "0" * 30 + "70", "source_tenant_id": 70}
    assert asked(name, body_of(name) | {"payload": {"file_key": "tenants/70/a.pdf"}} | one).tenant_id == 70


def test_a_signature_is_of_one_request() -> None:
    """Without a name of the request, whoever saw it once could use it for ever."""
    nameless = body_of("sms", business_idempotency_key=None)
    binding = bound("messaging", nameless)
    assert binding
    assert refused("sms", nameless | {FIELD: binding.sign(KEY)}) is PoisonCode.TENANT_BINDING_WRONG


@pytest.mark.parametrize("name", BODIES)
def test_who_names_one_academy_need_not_sign(name: str) -> None:
    queue, body = BODIES[name]
    for each in (body, body | {"source_tenant_id": body.get("tenant_id")}):
        if each.get("source_tenant_id") is not None or each is body:
            assert asked(name, each) == parse(queue, json.dumps(each), "m-1")


class Letters(DeadLetters):
    def __init__(self) -> None:
        self.name = "messaging"
        self.taken: list[tuple[str, str]] = []

    def take(self, lease: VisibilityLease, message: QueueMessage, code: str, detail: str) -> None:
        self.taken.append((message.id, code))


def test_the_bridge_buries_it_and_goes_on_or_warns(caplog: pytest.LogCaptureFixture) -> None:
    bodies = {"bare": body_of("sms"), "false": signed("sms", FOREIGN), "good": signed("sms")}
    messages = [QueueMessage(name, "", json.dumps(body)) for name, body in bodies.items()]

    def counted(found: str) -> float:
        labels = {"queue": "messaging", "found": found}
        return REGISTRY.get_sample_value("bridge_bindings_total", labels) or 0

    before = counted("valid")
    for bindings, gone in ((TenantBindings((KEY,), "warn"), 0), (TenantBindings((KEY,), "require"), 2)):
        letters, lease = Letters(), cast(VisibilityLease, None)
        batch = _parsed("messaging", messages, lease, letters, frozenset(), bindings)
        assert [each.message.id for each in batch.pending] == list(bodies)[gone:]
        assert len(letters.taken) == gone
    assert letters.taken == [("bare", "TENANT_BINDING_MISSING"), ("false", "TENANT_BINDING_WRONG")]
    assert counted("valid") == before + 2 and counted("TENANT_BINDING_WRONG") >= 2
    levels = [(each.levelname, "tenant 7 with what 70 owns" in each.message) for each in caplog.records]
    assert levels == [("WARNING", True)] * 2 + [("ERROR", True)] * 2
    assert not any(text in caplog.text for text in (OCCASION, signed("sms", FOREIGN)[FIELD], "01000000000"))


def test_settings_that_check_nothing_are_refused() -> None:
    for keys in ("short", f"{'k' * 32},", f"{'k' * 32},short", ","):
        with pytest.raises(ValueError, match="TENANT_BINDING_KEYS"):
            read(Settings, Process.BRIDGE, NEEDED | {"TENANT_BINDING_KEYS": keys})
    found = read(Settings, Process.BRIDGE, NEEDED | {"TENANT_BINDING_KEYS": f"{'k' * 32}, {'n' * 32}"})
    assert found.binding_keys() == (KEY, NEXT)
    check = bindings_of(found).of("messaging")
    binding = bound("messaging", body_of("sms"))
    assert check and binding
    with pytest.raises(Poison):  # who says nothing requires
        check(binding)
    with pytest.raises(SystemExit, match="TENANT_BINDING_KEYS"):
        bindings_of(read(Settings, Process.BRIDGE, NEEDED | {"TENANT_BINDING": "require"}))


@pytest.mark.parametrize(
    ("queue", "body"),
    [
        ("messaging", {"to": "01000000000", "text": "x"}),
        ("ai-basic", {"job_id": "a", "job_type": "embedding", "payload": {"texts": ["x"], "tenant_id": 7}}),
    ],
)
def test_over_http_the_credential_alone_says_whose_a_job_is(queue: str, body: dict[str, Any]) -> None:
    request = job_request(queue, 7, body | {"tenant_id": 8, "source_tenant_id": 8}, "k")
    assert request.tenant_id == 7 and "channel_tenant_id" not in request.payload
