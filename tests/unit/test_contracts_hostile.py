"""No body, however made, gets more out of `parse` than a Poison that tells nothing private."""

import json
import traceback
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.catalog import ai_payloads
from contracts.jobs import JobRequest
from contracts.payloads import SendMessage
from contracts.queues import QUEUES, Poison, PoisonCode, parse
from contracts.queues.parse import MAX_BYTES, MAX_DEPTH
from tests.unit.bodies import BODIES

CANARY = "01099998888"
SMS = BODIES["sms"][1]

queues = st.sampled_from(sorted(QUEUES))
any_text = st.text(st.characters())  # lone surrogates and NUL included
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=10,
)


def outcome(queue: str, body: str) -> JobRequest | Poison:
    try:
        request = parse(queue, body, "m-1")
    except Poison as poison:
        return poison
    json.dumps(request.payload, allow_nan=False).encode()
    return request


def sms(**fields: Any) -> str:
    return json.dumps(SMS | fields)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [p for key, inner in items for p in [(*path, key), *paths(inner, (*path, key))]]


def replaced(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    inner = body = deepcopy(body)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return body


@given(queue=queues, body=any_text)
@example(queue="video", body="\ud800")
@example(queue="video", body="\ufeff{}")
def test_arbitrary_text_is_poison(queue: str, body: str) -> None:
    assert isinstance(outcome(queue, body), Poison)


@given(queue=queues, body=any_json.map(json.dumps))
def test_arbitrary_json_is_poison(queue: str, body: str) -> None:
    assert isinstance(outcome(queue, body), Poison)


@given(name=st.sampled_from(sorted(BODIES)), data=st.data(), value=any_json)
def test_a_valid_body_with_one_value_replaced_is_a_request_or_poison(
    name: str, data: st.DataObject, value: Any
) -> None:
    queue, body = BODIES[name]
    path = data.draw(st.sampled_from(paths(body)))
    outcome(queue, json.dumps(replaced(body, path, value)))


def nested(depth: int) -> str:
    return sms()[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", PoisonCode.NOT_JSON),
        ("to=010", PoisonCode.NOT_JSON),
        (sms(x=float("nan")), PoisonCode.NOT_JSON),
        (sms(x=float("-inf")), PoisonCode.NOT_JSON),
        (sms()[:-1] + ', "x": 1e999}', PoisonCode.NOT_JSON),
        (sms()[:-1] + ', "x": ' + "9" * 5000 + "}", PoisonCode.NOT_JSON),
        (sms() + sms(), PoisonCode.NOT_JSON),
        ("null", PoisonCode.NOT_AN_OBJECT),
        (f"[{sms()}]", PoisonCode.NOT_AN_OBJECT),
        (json.dumps(sms()), PoisonCode.NOT_AN_OBJECT),
        (nested(MAX_DEPTH), PoisonCode.TOO_DEEP),
        (nested(100_000), PoisonCode.TOO_DEEP),
        ('{"a":' * 40_000, PoisonCode.TOO_DEEP),
        (sms()[:-1] + ', "tenant_id": 8}', PoisonCode.DUPLICATE_KEY),
        (sms(x={"y": ["\0"]}), PoisonCode.UNSTORABLE_TEXT),
        (sms(**{"\0": 1}), PoisonCode.UNSTORABLE_TEXT),
        (sms(text="안녕\ud83d"), PoisonCode.UNSTORABLE_TEXT),
        (sms(x="가" * (MAX_BYTES // 3)).replace("\\uac00", "가"), PoisonCode.TOO_LARGE),
        (sms(tenant_id=2**63), PoisonCode.INVALID_FIELD),
        (sms(tenant_id=True), PoisonCode.INVALID_FIELD),
        (sms(tenant_id=7.0), PoisonCode.INVALID_FIELD),
        (sms(tenant_id=0), PoisonCode.INVALID_FIELD),
    ],
    ids=lambda value: str(value)[:30],
)
def test_hostile_bodies_get_their_code(body: str, code: PoisonCode) -> None:
    poison = outcome("messaging", body)
    assert isinstance(poison, Poison)
    assert poison.code == code


@pytest.mark.parametrize(
    "body",
    [nested(MAX_DEPTH - 1), sms(x=10**4000), sms(text="😀"), sms(x="a" * 200_000)],
    ids=["deep", "huge int", "emoji", "large"],
)
def test_the_limits_let_the_rest_pass(body: str) -> None:
    assert isinstance(outcome("messaging", body), JobRequest)


@pytest.mark.parametrize("name", BODIES)
def test_poison_never_tells_a_value(name: str) -> None:
    """Every field in turn gets values of wrong types and forms that hold the canary."""
    queue, body = BODIES[name]
    told = 0
    for path in paths(body):
        for value in (
            CANARY,
            [CANARY],
            {CANARY: CANARY},
            int(CANARY),
            f"{CANARY}/../{CANARY}",
            f"{CANARY}\0",
        ):
            poison = outcome(queue, json.dumps(replaced(body, path, value)))
            if isinstance(poison, Poison):
                told += 1
                trace = "".join(traceback.format_exception(poison))
                assert CANARY not in str(poison) + repr(poison) + poison.detail + trace
                assert CANARY[1:] not in str(poison) + trace
                assert poison.__context__ is None, "a context keeps the body within a logger's reach"
    assert told > len(body)


@pytest.mark.parametrize("body", [f'{{"to": "{CANARY}"', f'{{"to": "{CANARY}", "to": "{CANARY}"}}', CANARY])
def test_broken_json_never_tells_a_value(body: str) -> None:
    poison = outcome("messaging", body)
    assert isinstance(poison, Poison)
    assert CANARY not in str(poison) + repr(poison)
    assert poison.__context__ is None


def test_pydantics_sentences_which_may_quote_are_not_passed_on() -> None:
    poison = outcome("video", json.dumps(BODIES["encode with job_id"][1] | {"job_id": "§"}))
    assert "job_id" in str(poison)
    assert "§" not in str(poison)


def test_a_detail_stays_short() -> None:
    queue, body = BODIES["ocr"]
    poison = outcome(queue, json.dumps(replaced(body, ("payload", "questions"), [{}] * 5000)))
    assert isinstance(poison, Poison)
    assert len(poison.detail) < 1000
    assert "9990 more" in poison.detail


def test_models_print_no_field() -> None:
    _, roster = BODIES["excel_parsing"]
    secret = roster["payload"] | {"initial_password": CANARY, "phone": CANARY}
    for model in (
        SendMessage.model_validate(SMS | {"to": CANARY, "text": CANARY}),
        ai_payloads()["excel_parsing"].model_validate(secret),
    ):
        assert CANARY not in f"{model} {model!r}"
