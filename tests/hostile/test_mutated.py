"""Good files with damage drawn at random, through the real tasks in the real sandbox: each is read, or
refused with a reason that is the file's. The draw is the same each time."""

import io
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from PIL import Image

from activities.ai.pages import load
from activities.ai.sandbox.parent import Sandbox
from activities.ai.tasks.omr.sheet import sheet
from contracts.errors import TASK_CRASHED
from tests.hostile.tables import GOOD, sheet_of, xlsx
from tests.hostile.test_corpus import QUESTIONS, outcome_of

pytestmark = pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
TIMES = 30
ROWS = "이름,학부모 연락처,반\n" + "".join(f"학생{n},0102{n:07d},1반\n" for n in range(200))


def picture(kind: str) -> bytes:
    with TemporaryDirectory() as folder:
        page = Path(folder, "page.pdf")
        page.write_bytes(sheet(20))
        made = io.BytesIO()
        Image.fromarray(load(page, 0, dpi=100)).save(made, kind)
    return made.getvalue()


DOCUMENTS = {
    "pdf": lambda: sheet(20),
    **{
        kind.lower(): lambda kind=kind: picture(kind)
        for kind in ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP")
    },
}
TABLES = {
    "xlsx": lambda: xlsx(sheet_of(GOOD)),
    "csv": lambda: ROWS.encode("cp949"),
    "txt": lambda: ROWS.encode("utf-16"),
}


def damaged(good: bytes, dice: random.Random) -> bytes:
    data = bytearray(good)
    for _ in range(dice.choice((1, 1, 3))):
        first, length = dice.randrange(len(data)), dice.choice((1, 8, 64, 1024))
        match dice.choice(("cut", "flip", "zero", "double", "strew", "move")):
            case "cut":
                del data[first:]
            case "flip":
                for _ in range(min(length, 64)):
                    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            case "zero":
                data[first : first + length] = bytes(min(length, len(data) - first))
            case "double":
                data[first:first] = data[first : first + length]
            case "strew":
                data[first:first] = dice.randbytes(length)
            case _:
                piece = data[first : first + length]
                del data[first : first + length]
                data += piece
        data = data or bytearray(b"x")
    return bytes(data)


async def ends(folder: Path, task: str, kind: str, good: bytes, parameters: dict[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    async with Sandbox(folder).open(task) as child:
        for n in range(TIMES):
            file = folder / f"{n}.{kind}"
            file.write_bytes(damaged(good, random.Random(f"{kind} {n}")))
            end = str(await outcome_of(child, file, parameters))
            found[end] = found.get(end, 0) + 1
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", DOCUMENTS)
async def test_documents(tmp_path: Path, kind: str) -> None:
    found = await ends(tmp_path, "omr_grading", kind, DOCUMENTS[kind](), QUESTIONS)
    assert TASK_CRASHED not in found and sum(found.values()) == TIMES, found


@pytest.mark.parametrize("kind", TABLES)
async def test_tables(tmp_path: Path, kind: str) -> None:
    found = await ends(tmp_path, "excel_parsing", kind, TABLES[kind](), {})
    assert TASK_CRASHED not in found and sum(found.values()) == TIMES, found
