"""A job that was accepted with what no database can hold ends, and says why."""

from uuid import uuid4

import pytest
from psycopg import DataError, OperationalError
from psycopg.errors import CharacterNotInRepertoire, NumericValueOutOfRange, UniqueViolation
from sqlalchemy.exc import DBAPIError

from clients.database import jobs
from clients.vault import Vault
from contracts.activities import messages, ops
from contracts.errors import UNSTORABLE_TEXT
from contracts.jobs import JobOutcome, JobRequest, JobState, payload_sha256
from devstack.app import App
from intake.errors import is_content, is_unstorable
from tests.integration.test_database import job_request
from tests.lab import Lab, PatientSubmitter
from tests.messages import Mail
from workers.refusing import may_end_its_job

GOOD = "01012345678"


def vault(lab: Lab) -> Vault:
    return Vault(lab.settings.payload_keys.get_secret_value())


async def test_a_message_ends_with_its_reason(workers: App, mail: Mail) -> None:
    """Release 0.5 took NUL in a recipient's id, and tried for two days to write it."""
    tenant = await mail.account()
    payload = {"draft": {"text": "x"}, "recipients": [{"id": "a\x00b", "to": GOOD}]}
    request = JobRequest(
        job_type="messages.send",
        tenant_id=tenant,
        idempotency_key=uuid4().hex,
        payload=payload,
        payload_sha256=payload_sha256(payload, frozenset()),
        source="test",
    )
    lab = mail.lab
    await PatientSubmitter(lab.engine, lab.temporal, vault(lab)).submit(request)
    (job,) = await lab.ended(tenant)
    assert (job.state, job.error_code) == (JobState.REJECTED_BAD_INPUT, UNSTORABLE_TEXT)
    assert mail.sent(job.id) == []


def test_what_no_database_takes() -> None:
    def refused(kind: type[Exception]) -> DBAPIError:
        return DBAPIError("INSERT", None, kind("x"))

    for kind in (DataError, CharacterNotInRepertoire, NumericValueOutOfRange):
        assert is_unstorable(refused(kind)) and is_unstorable(kind("x")), kind
        assert is_content(refused(kind)), kind
    assert not is_unstorable(refused(UniqueViolation)), "another may come first, and go"
    assert not is_unstorable(refused(OperationalError)) and not is_content(refused(OperationalError))
    with pytest.raises(UnicodeEncodeError) as raised:
        "\ud800".encode()
    assert is_unstorable(raised.value)


def test_what_may_end_its_job() -> None:
    """Before anything is sent, and never where money is on its way."""
    assert may_end_its_job(messages.PREPARE.name) and may_end_its_job("ai.ocr")
    assert not may_end_its_job(ops.FINISH.name) and not may_end_its_job(messages.COMMIT.name)


async def test_a_result_with_such_a_text_is_written(mail: Mail) -> None:
    lab, tenant = mail.lab, await mail.account()
    accepted = await PatientSubmitter(lab.engine, lab.temporal, vault(lab)).submit(
        job_request(tenant, uuid4().hex)
    )
    async with lab.engine.begin() as connection:
        result = {"text": "a\x00b", "list": ["\udfff"], "\x00": 1}
        outcome = JobOutcome(state=JobState.DONE, result=result)
        await jobs.finish(connection, accepted.job_id, outcome)
    async with lab.engine.connect() as connection:
        job = await jobs.get(connection, accepted.job_id)
    assert job.result == {"text": "a\ufffdb", "list": ["\ufffd"], "\ufffd": 1}
