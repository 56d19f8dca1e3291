"""A long document: its last page takes what its first one took. `make bench NAME=memory` has a thousand."""

from pathlib import Path

import pytest

from activities.ai.sandbox import process
from bench import memory

PAGES = 30
GROWTH = 24 << 20  # bytes


@pytest.mark.slow
async def test_memory_is_flat_over_many_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MAX_CALLS", 15)
    monkeypatch.setattr(memory, "EVERY", 3)
    found = await memory.measured(tmp_path, PAGES)
    assert found["read"] > 0.9 * PAGES, "pages were read"
    assert found["children"] == 3, "planning is a call too"
    assert max(found["worker"]) - found["worker"][0] < GROWTH
    assert max(found["child"]) - found["child"][0] < GROWTH
