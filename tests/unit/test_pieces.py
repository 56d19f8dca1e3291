"""Large results are read piece by piece, and the page of a roster keeps what it shows."""

import gc
import json
from typing import Any

import pytest
import uvicorn

from api.__main__ import Server
from api.console import pieces as module
from api.console.pieces import pieces
from api.console.rosters import CHANGES, REPORT, ROWS, SHOWN, preview_of

VALUES: list[Any] = [
    {"가": ["나", "\ud7a3😀"]},
    'a\\"],[',
    12345,
    -1.5e300,
    None,
    True,
    [],
    {},
    [[{}]],
    "x" * 300,
]


def written(value: Any, indent: int | None = None) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=indent).encode()


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 2**18])
@pytest.mark.parametrize("indent", [None, 2])
def test_pieces_are_those_of_the_whole(
    chunk: int, indent: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the parts end: within a letter, a number, a text."""
    monkeypatch.setattr(module, "CHUNK", chunk)
    for values in (VALUES, VALUES[::-1], [], [7]):
        assert list(pieces(written(values, indent))) == values
        whole = {"a": {"wanted": [0]}, 'b"wanted': "wanted", "wanted": values, "c": 1}
        assert list(pieces(written(whole, indent), "wanted")) == values


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1", b"[1 2]", b"[,]", b'{"other": []}', b'{"wanted": 7}', b'{"wanted"', b"[\xff]"],
)
def test_what_is_no_list(content: bytes) -> None:
    for name in (None, "wanted"):
        with pytest.raises(ValueError):
            list(pieces(content, name))


def test_a_roster_shows_what_is_wrong_and_changed_first() -> None:
    rows = [["반", n, {"name": f"학생{n}"}, ""] for n in range(1000)]
    changes = [
        {"sheet": "반", "row": n, "kind": "new" if n % 2 else "changed", "fields": {"name": ["a", "b"]}}
        for n in range(500, 1000)
    ]
    problems = [
        {"sheet": "반", "row": 2000 + n // 2, "column": "이름", "value": "?", "code": f"E{n % 2}"}
        for n in range(20)
    ]
    contents = {
        ROWS: b"\n".join(written(each) for each in rows),
        CHANGES: written(changes),
        REPORT: written({"sheets": [], "problems": problems}),
    }
    shown = preview_of(contents)
    kinds = [line.kind for line in shown.lines]
    assert len(shown.lines) == SHOWN and shown.hidden == 1010 - SHOWN
    assert (kinds.count("bad"), kinds.count("changed")) == (10, 250)
    assert kinds.count("unchanged") == SHOWN - 260 and shown.lines[0].row == 0
    assert [line.row for line in shown.lines] == sorted(line.row for line in shown.lines)
    (codes,) = shown.lines[-1].errors.values()
    assert codes == ["E0", "E1"] and shown.columns == ["name"]
    assert preview_of({REPORT: written({"problems": []})}).lines == []


async def test_what_is_there_at_the_start_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def started(*_: Any) -> None:
        pass

    monkeypatch.setattr(uvicorn.Server, "startup", started)
    try:
        await Server(uvicorn.Config("none")).startup()
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
