"""What a person corrects on a page: in the text, in the search, and never over somebody else's correction."""

from typing import Any

import pytest

from tests.api.conftest import Caller
from tests.api.test_search import Library, library, nobody_else  # noqa: F401 - fixtures

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def document(library: Library) -> str:  # noqa: F811
    await library.document()
    (found,) = (await library.academy.get("/jobs?job_type=ai.ocr"))["items"]
    return str(found["job_id"])


async def text_of(academy: Caller, job: str, name: str = "text.txt") -> str:
    link = (await academy.get(f"/jobs/{job}"))["links"][name]
    return str((await academy.http.get(link)).text)


async def test_a_corrected_page_is_in_the_text_and_in_the_search(library: Library) -> None:  # noqa: F811
    academy, job = library.academy, await document(library)
    at = f"/documents/{job}/pages/2/text"
    await library.noted()
    assert await library.documents("광합성") == [[2]]
    before = await academy.get(at)
    assert before == {
        "text": "둘째 쪽: 식물의 광합성은 엽록체에서",
        "version": "text.txt",
        "corrected": False,
    }
    change = {"text": "둘째 쪽: 식물의 호흡은\r\n미토\f콘드리아에서", "version": before["version"]}
    answer = await academy.ask("PUT", at, change)
    assert answer.status_code == 200, answer.text
    saved: dict[str, Any] = answer.json()
    assert saved["text"] == "둘째 쪽: 식물의 호흡은\n미토\n콘드리아에서" and saved["corrected"]
    assert await academy.get(at) == saved
    assert await library.noted() == {"indexed": 1}
    assert await library.documents("광합성") == [] and await library.documents("미토콘드리아") == [[2]]
    whole = (await text_of(academy, job)).split("\n\f\n")
    assert whole == ["첫 쪽", saved["text"], "셋째\n"] or whole == ["첫 쪽", saved["text"], "셋째"]
    assert "광합성" in await text_of(academy, job, "read.txt")
    log = (await academy.get(f"/jobs/{job}/log"))["items"]
    assert [(each["kind"], each["detail"]) for each in log] == [("corrected", {"number": 2})]


async def test_nobody_corrects_over_somebody_else(library: Library) -> None:  # noqa: F811
    academy, job = library.academy, await document(library)
    first, second = (f"/documents/{job}/pages/{number}/text" for number in (1, 2))
    change = {"text": "하나", "version": "text.txt"}
    saved = (await academy.ask("PUT", first, change)).json()
    assert await academy.refused("PUT", second, 409, change | {"text": "둘"}) == "text_changed"
    assert (await academy.get(second))["text"].startswith("둘째")
    again = await academy.ask("PUT", second, {"text": "둘", "version": saved["version"]})
    assert again.status_code == 200
    assert (await text_of(academy, job)).split("\n\f\n")[:2] == ["하나", "둘"]
    assert "첫 쪽" in await text_of(academy, job, "read.txt"), "what was read, before all corrections"
    assert await academy.refused("GET", f"/documents/{job}/pages/4/text", 404) == "not_found"
