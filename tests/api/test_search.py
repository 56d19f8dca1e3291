"""What is said in lectures and stands in documents is found by its words, and by nobody else; and no longer
than it is there."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from botocore.exceptions import EndpointConnectionError
from sqlalchemy import delete, insert, select, update
from temporalio.service import RPCError, RPCStatusCode

from activities import indexing
from activities.indexing import INDEXED, LEFT, MISSING, UNREADABLE, IndexActivities
from api import search as searching
from clients.database import captions, retention, search, videos
from clients.database.captions import NewCaption
from clients.database.captions_models import Caption
from clients.database.models import Job, Video
from clients.database.search import SearchText
from clients.keys import Sealer, TenantKeys
from clients.objects import Objects
from clients.vault import UnknownKey
from contracts.captions import Origin
from contracts.states import JobState
from contracts.video import hls_root
from rules.captions.cues import Cue
from rules.captions.writing import WHOLE, files
from rules.search.words import pieces
from tests.api.conftest import Caller
from tests.integration.test_keys import tenant_keys
from tests.lab import eventually, fresh_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAID = [
    Cue(1_000, 3_000, "오늘은 학교에서 배운"),
    Cue(83_500, 86_000, "이차 방정식의 &lt;근의 공식&gt;을 봅시다"),
    Cue(3_599_000, 3_600_000, "Functions of x"),
]
WRITTEN = "첫 쪽\n\f\n둘째 쪽: 식물의 광합성은 엽록체에서\n\f\n셋째"
A_MINUTE = timedelta(minutes=1)


@dataclass
class Library:
    """An academy's lectures and documents, and who notes what they are found by."""

    academy: Caller
    index: IndexActivities

    @property
    def tenant(self) -> int:
        return self.academy.tenant

    async def lecture(self, title: str, said: list[Cue] | None = SAID) -> int:
        video = fresh_id()
        async with self.academy.lab.engine.begin() as connection:
            row = {"tenant_id": self.tenant, "id": video, "title": title, "file_key": "x", "status": "READY"}
            await connection.execute(insert(Video).values(row | {"duration": 3600.0}))
        if said:
            await self.caption(video, said)
        return video

    async def caption(self, video: int, said: list[Cue], language: str = "ko", stored: bool = True) -> UUID:
        made = uuid4()
        prefix = f"{hls_root(self.tenant, video)}captions/{made.hex}/"
        if stored:
            whole = files(said, 3_600_000)[WHOLE]
            self.academy.lab.objects.put(prefix + WHOLE, whole.encode(), "text/vtt")
        new = NewCaption(made, language, language, Origin.UPLOADED, prefix, len(said))
        async with self.academy.lab.engine.begin() as connection:
            await captions.put(connection, self.tenant, video, [new])
        return made

    async def document(self, text: str = WRITTEN, job_type: str = "ai.ocr", **more: Any) -> UUID:
        job, name = uuid4(), uuid4().hex
        key = f"tenants/{self.tenant}/ai/results/{job}/text.txt"
        self.academy.lab.objects.put(key, text.encode(), "text/plain")
        await self.academy.row(
            name, JobState.DONE, id=job, job_type=job_type, result={"files": {"text.txt": key}}, **more
        )
        return job

    async def noted(self) -> dict[str, int]:
        return await self.index.run_once(A_MINUTE)

    async def rows(self) -> dict[UUID, Any]:
        async with self.academy.lab.engine.connect() as connection:
            found = await connection.execute(select(SearchText).where(SearchText.tenant_id == self.tenant))
            return {row.id: row for row in found}

    async def lectures(self, words: str) -> list[int]:
        return [each["video_id"] for each in await self.found("lectures", words)]

    async def documents(self, words: str) -> list[list[int]]:
        return [[hit["page"] for hit in each["hits"]] for each in await self.found("documents", words)]

    async def found(self, what: str, words: str) -> list[dict[str, Any]]:
        answer = await self.academy.http.get(
            f"/api/v1/search/{what}",
            params={"q": words},
            headers={"Authorization": f"Bearer {self.academy.key}"},
        )
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nobody_else(academy: Caller) -> AsyncIterator[None]:
    """The worker's own schedule rests: what is due is the tests'."""
    schedule = academy.lab.temporal.get_schedule_handle("index")

    async def rests() -> bool:
        try:
            await schedule.pause()
        except RPCError as error:
            assert error.status is RPCStatusCode.NOT_FOUND  # the worker has not made it yet
            return False
        return not (await schedule.describe()).info.running_actions

    await eventually(rests)
    yield
    await schedule.unpause()


@pytest_asyncio.fixture(loop_scope="module")
async def library(academy: Caller, stranger: Caller, nobody_else: None) -> AsyncIterator[Library]:
    """Empty again afterwards, and so is the stranger's: each test has its own words."""
    keys = tenant_keys(academy.lab)
    library = Library(academy, IndexActivities(academy.lab.engine, academy.lab.objects, keys))
    await library.noted()  # what others have left
    yield library
    async with academy.lab.engine.begin() as connection:
        for table in (SearchText, Caption, Video, Job):
            theirs = table.tenant_id.in_((academy.tenant, stranger.tenant))
            await connection.execute(delete(table).where(theirs))


async def test_words_are_found_where_they_stand(library: Library, stranger: Caller) -> None:
    said = await library.lecture("1강 인수분해")
    titled = await library.lecture("이차 방정식의 활용", said=None)
    await library.document()
    assert await library.lectures("학교") == [], "nobody has read it yet"
    assert await library.lectures("인수 분해") == [said], "titles are known at once"
    assert (await library.noted())[INDEXED] >= 2
    (one, other) = sorted(
        await library.found("lectures", "이차방정식"), key=lambda each: each["video_id"] == titled
    )
    assert (other["video_id"], other["in_title"], other["captions"]) == (titled, True, [])
    assert (one["video_id"], one["title"], one["in_title"]) == (said, "1강 인수분해", False)
    (hit,) = one["captions"][0]["hits"]
    assert (hit["start"], hit["found"], hit["before"]) == (83.5, "이차 방정식", "오늘은 학교에서 배운 ")
    assert hit["after"].startswith("의 <근의 공식>을")
    assert await library.lectures("FUNCTION") == await library.lectures("학교") == [said]
    assert await library.documents("광합성 엽록체") == [[2]]
    assert await library.lectures("광합성") == await library.documents("학교") == []
    for what in ("lectures", "documents"):
        assert (await stranger.get(f"/search/{what}?q=광합성 학교"))["items"] == []
        assert (await stranger.get(f"/search/{what}?q=학교"))["items"] == []
        assert await library.academy.refused("GET", f"/search/{what}?q=?!", 422) == "nothing_to_find"


async def test_pages_go_on_where_the_last_one_ended(library: Library) -> None:
    titled = [await library.lecture(f"함수 {number}", said=None) for number in range(5)]
    seen, cursor = [], ""
    while True:
        page = await library.academy.get(f"/search/lectures?q=함수&limit=2{cursor}")
        seen += [each["video_id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == sorted(titled, reverse=True)


async def test_a_request_that_has_read_long_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "LONGEST", -1.0)

    async def look(number: int) -> int:
        return number

    numbers = list(range(20, 0, -1))
    page = await searching._page(numbers, look, 20, more=False)
    assert (page.found, page.next) == (numbers[: searching.AT_ONCE], numbers[searching.AT_ONCE - 1])
    last = await searching._page(numbers[16:], look, 20, more=False)
    assert (last.found, last.next) == (numbers[16:], None)


async def test_what_is_removed_is_not_found_in_that_moment(library: Library) -> None:
    engine = library.academy.lab.engine
    deleted, uncaptioned, replaced = [await library.lecture("강의") for _ in range(3)]
    emptied, over = await library.document(), await library.document()
    await library.noted()
    assert len(await library.rows()) == 5
    async with engine.begin() as connection:
        await videos.mark_deleted(connection, library.tenant, deleted)
        (shown,) = await captions.listed(connection, library.tenant, uncaptioned)
        await captions.remove(connection, library.tenant, uncaptioned, shown.id)
        await connection.execute(update(Job).where(Job.id == emptied).values(result=None))
    newer = await library.caption(replaced, [Cue(0, 1000, "다른 말")])
    assert (await library.rows()).keys() == {emptied, over}
    assert await library.lectures("학교") == []
    assert len(await library.documents("광합성")) == 1
    async with engine.begin() as connection:
        long_ago = datetime.now(UTC) - timedelta(days=366)
        await connection.execute(update(Job).where(Job.id == over).values(finished_at=long_ago))
        (rule,) = [each for each in retention.RULES if each.table == "search_texts" and each.kept]
        await retention.enforce_some(connection, rule, datetime.now(UTC) - retention.YEAR)
        assert rule.kept == retention.YEAR
    assert (await library.rows()).keys() == {emptied}, "of a job that ended a year ago"
    async with engine.begin() as connection:
        await connection.execute(delete(Job).where(Job.id == emptied))
    await library.noted()
    assert newer in await library.rows() and emptied not in await library.rows()
    assert await library.lectures("다른말") == [replaced]


async def test_nothing_is_shown_that_is_gone_from_the_store(library: Library) -> None:
    await library.lecture("강의")
    job = await library.document()
    await library.noted()
    store = library.academy.lab.objects
    store.erase(f"tenants/{library.tenant}/video/hls/")
    store.erase(f"tenants/{library.tenant}/ai/results/{job}/")
    assert await library.lectures("학교") == await library.documents("광합성") == []


async def test_only_documents_that_were_read_are_noted(library: Library) -> None:
    people = "ai.excel_parsing ai.omr_grading ai.attendance_excel_export ai.staff_excel_export"
    for job_type in (*people.split(), "ai.handwriting_analysis", "ai.homework_video_analysis"):
        await library.document(job_type=job_type)
    await library.noted()
    assert await library.rows() == {}


async def test_what_is_noted_says_nothing_without_the_key(library: Library, stranger: Caller) -> None:
    """Two academies' same text has nothing in common, and no word of it lies in the row."""
    await library.document()
    theirs = Library(stranger, library.index)
    await theirs.document()
    await library.noted()
    (mine,), (others,) = [[*(await each.rows()).values()] for each in (library, theirs)]
    assert len(mine.pieces) == len(others.pieces) > 10 and not {*mine.pieces} & {*others.pieces}
    assert "광합성" not in str(mine) and "text.txt" in mine.object_key


async def test_one_text_that_cannot_be_split_does_not_hide_the_others(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, bad = await library.document("앞의 글"), await library.document("나쁜 글")

    def split(text: str) -> set[str]:
        if "나쁜" in text:
            raise RecursionError
        return pieces(text)

    monkeypatch.setattr(indexing, "pieces", split)
    assert (await library.noted()) == {INDEXED: 1, UNREADABLE: 1}
    rows = await library.rows()
    assert rows[bad].problem == UNREADABLE and rows[before].problem is None


class Locked(TenantKeys):
    """Those of one academy are wrapped with a key that is not here."""

    def __init__(self, others: TenantKeys, tenant: int) -> None:
        self._others = others
        self._tenant = tenant

    async def sealer(self, tenant_id: int) -> Sealer:
        if tenant_id == self._tenant:
            raise UnknownKey
        return await self._others.sealer(tenant_id)


async def test_an_academy_whose_key_is_not_here_does_not_hide_another(
    library: Library, stranger: Caller
) -> None:
    mine = await library.document()
    theirs = Library(stranger, library.index)
    for _ in range(2):
        await theirs.document()
    lab = library.academy.lab
    keys = Locked(tenant_keys(lab), stranger.tenant)
    assert await IndexActivities(lab.engine, lab.objects, keys).run_once(A_MINUTE) == {LEFT: 1, INDEXED: 1}
    assert mine in await library.rows() and await theirs.rows() == {}
    assert await library.noted() == {INDEXED: 2}


class Away(Objects):
    """A store that does not answer."""

    def __init__(self) -> None:
        pass

    def head(self, key: str) -> Any:
        raise EndpointConnectionError(endpoint_url="https://store")


async def test_a_store_that_is_away_and_a_text_that_is_not_there(library: Library) -> None:
    video = await library.lecture("강의")
    lost = await library.caption(video, SAID, "en", stored=False)
    lab = library.academy.lab
    without = IndexActivities(lab.engine, Away(), tenant_keys(lab))
    assert (await without.run_once(A_MINUTE))[LEFT] == 1, "it is not asked for the others; the next turn is"
    assert await library.rows() == {}
    found = await library.noted()
    assert found[INDEXED] >= 1 and found[MISSING] >= 1
    assert (await library.rows())[lost].problem == MISSING
    assert await library.noted() == {}, "what is missing is not asked for every minute"
    async with lab.engine.begin() as connection:
        yesterday = datetime.now(UTC) - search.AGAIN
        await connection.execute(update(SearchText).values(indexed_at=yesterday))
    assert (await library.noted())[MISSING] >= 1
    assert await library.lectures("학교") == [video]


async def test_another_key_and_another_version_are_noted_anew(library: Library) -> None:
    video = await library.lecture("강의")
    await library.noted()
    async with library.academy.lab.engine.begin() as connection:
        mine = SearchText.tenant_id == library.tenant
        await connection.execute(update(SearchText).where(mine).values(key_id=0, pieces=[]))
    assert await library.lectures("학교") == []
    assert (await library.noted())[INDEXED] == 1
    assert await library.lectures("학교") == [video]
    async with library.academy.lab.engine.begin() as connection:
        await connection.execute(update(SearchText).where(mine).values(object_key="before", pieces=[]))
    assert (await library.noted())[INDEXED] == 1
    assert await library.lectures("학교") == [video]
