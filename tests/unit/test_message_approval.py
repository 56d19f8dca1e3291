"""Which messages wait for a second person."""

import pytest

from api.auth.callers import Caller, caller_for
from api.auth.people import Staff
from api.job_requests import asked_by, messages_job
from contracts.messaging import ASKED_BY, SendRequest
from contracts.messaging import asked_by as who_asked
from rules.messaging.approval import needs_approval

KIM = caller_for(Staff(sub="kim", exp=0, tenant_id=7)).name


@pytest.mark.parametrize(
    ("recipients", "caller", "above", "of_systems", "waits"),
    [
        (1_000, KIM, None, True, False),  # no policy
        (100, KIM, 100, False, False),
        (101, KIM, 100, False, True),
        (1, KIM, 0, False, True),
        (101, Caller("key ab12", 7).name, 100, False, False),
        (101, None, 100, False, False),  # of a queue
        (101, Caller("key ab12", 7).name, 100, True, True),
        (101, None, 100, True, True),
        (100, None, 100, True, False),
    ],
)
def test_by_the_academys_terms(
    recipients: int, caller: str | None, above: int | None, of_systems: bool, waits: bool
) -> None:
    assert needs_approval(recipients, caller, above=above, of_systems=of_systems) is waits


def test_who_asks_is_no_part_of_what_is_asked() -> None:
    """The body cannot say it, and the same request of somebody else is the same."""
    told = {"draft": {"text": "x"}, "recipients": [{"id": "1", "to": "01020001"}], ASKED_BY: "staff lee"}
    request = messages_job(7, SendRequest.model_validate(told), "key")
    assert who_asked(request.payload) is None
    kim, lee = (asked_by(request, Caller(name, 7)) for name in (KIM, "staff lee"))
    assert [who_asked(each.payload) for each in (kim, lee)] == ["staff kim", "staff lee"]
    assert kim.payload_sha256 == lee.payload_sha256 and kim.job_id == lee.job_id
    other = request.model_copy(update={"job_type": "video.encode"})
    assert asked_by(other, Caller(KIM, 7)) is other
