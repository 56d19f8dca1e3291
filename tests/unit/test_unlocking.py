"""PDFs with a password: opened in the child, and the password is nowhere else."""

from io import BytesIO
from pathlib import Path

import pikepdf
import pytest

from activities.ai.sandbox.parent import Sandbox
from activities.ai.sandbox.task import BadInput
from activities.ai.sandbox.unlocking import unlocked
from activities.ai.storing import parameters_of
from activities.ai.tasks.omr.sheet import sheet
from contracts.errors import FILE_ENCRYPTED, FILE_PASSWORD_WRONG
from contracts.payloads import OcrPayload

GIVEN = "비밀 Passw0rd"


def locked(tmp_path: Path) -> Path:
    path = tmp_path / "sheet.pdf"
    with pikepdf.open(BytesIO(sheet(10))) as document:
        document.save(path, encryption=pikepdf.Encryption(user=GIVEN, owner="of the owner"))
    return path


async def test_a_child_opens_what_it_has_the_password_of(tmp_path: Path) -> None:
    path, scratch = locked(tmp_path), tmp_path / "scratch"
    scratch.mkdir()
    async with Sandbox(scratch).open("omr_grading") as child:
        assert await child.plan(path, {"password": GIVEN}) == ["page-0001"]
        for parameters, code in (({}, FILE_ENCRYPTED), ({"password": "another"}, FILE_PASSWORD_WRONG)):
            with pytest.raises(BadInput) as caught:
                await child.plan(path, parameters)
            assert caught.value.code == code and "another" not in repr(caught.value.detail)
    assert list(scratch.iterdir()) == []


def test_what_needs_no_password_stays_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "sheet.pdf"
    path.write_bytes(sheet(10))
    assert unlocked(path, GIVEN) == path
    path.write_bytes(b"no PDF")
    assert unlocked(path, GIVEN) == path


def test_it_is_no_parameter_and_not_printed() -> None:
    asked = OcrPayload(file_key="tenants/7/uploads/a.pdf", password=GIVEN)
    assert GIVEN not in repr(asked)
    assert parameters_of(asked.model_dump(exclude_unset=True)) == {}
