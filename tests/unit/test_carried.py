"""What a workflow carries of its job, and a process whose PAYLOAD_KEYS do not open it."""

import base64
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from temporalio.client import WorkflowExecution

from clients.vault import UnknownKey, Vault
from intake.restore import Restorer

OURS, OTHERS = (Vault(f"{name}:{base64.b64encode(bytes(32)).decode()}") for name in ("ours", "others"))


def carrying(sealed: bytes) -> Any:
    workflow = MagicMock(WorkflowExecution, id="ai.ocr-t7-1b9d6bcd9c0f")
    workflow.memo_value = AsyncMock(return_value=sealed)
    return workflow


async def test_a_key_that_is_not_here_loses_no_payload() -> None:
    """Another process has it, or the settings get it: a row guessed without it would end the job."""
    unused: Any = None
    restorer = Restorer(unused, OURS)
    with pytest.raises(UnknownKey):
        await restorer.record(carrying(OTHERS.encrypt(b"{}", b"ai.ocr-t7-1b9d6bcd9c0f")))
    assert await restorer.record(carrying(b"")) is None, "of a release before"
    assert await restorer.record(carrying(OURS.encrypt(b"{}", b"another"))) is None
