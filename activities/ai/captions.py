"""The job `captions`: a file of captions is read, made to fit its lecture, and shown with it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationError
from temporalio.exceptions import ApplicationError

from activities.ai.files import JobFiles, computed
from activities.ai.sandbox.parent import Sandbox
from activities.ai.sandbox.task import BadInput
from activities.ai.source import Sources
from activities.ai.tasks.captions.task import CAPTIONS
from clients.database.captions import NewCaption
from clients.database.videos import VideoRow
from contracts import errors
from contracts.captions import LANGUAGE, Origin, name_of
from contracts.errors import ErrorType
from contracts.jobs import JobOutcome, JobRef, JobState
from contracts.trim import version_name
from contracts.video import SourceRef
from intake.captions import HEARD_IN, Captioning, NewCaptions, NotShown, VersionChanged
from rules.captions.cues import (
    MOST_CUES,
    MOST_LANGUAGES,
    CaptionsError,
    Corrections,
    Cue,
    fitted,
    is_safe,
    within,
)
from rules.captions.reading import read
from rules.captions.writing import WHOLE, files


def _safe(text: str) -> str:
    if not is_safe(text):
        raise ValueError("not the text of a cue")
    return text


_Time = Annotated[int, Field(ge=-(10**9), le=10**11)]
_Cue = tuple[
    _Time,
    _Time,
    Annotated[str, AfterValidator(_safe)],
    Annotated[str, Field(max_length=200, pattern=r"^[a-z0-9:.,%\- ]*$")],
]


class _Language(BaseModel):
    language: Annotated[str, Field(pattern=f"^{LANGUAGE}$", max_length=35)] | None
    name: Annotated[str, Field(max_length=60, pattern=r"^[^\x00-\x1f\"<>]*$")] | None
    without_text: Annotated[int, Field(ge=0)] = 0
    cues: list[_Cue] = Field(max_length=MOST_CUES)


class _Found(BaseModel):
    """What the child answers; one that was taken over answers what it likes."""

    languages: list[_Language] = Field(max_length=MOST_LANGUAGES)


class NotPlaced(Exception):
    """The lecture was trimmed, and not out of the file that was heard: nobody knows its place in that."""


@dataclass(frozen=True)
class Placed:
    """What was heard, at the times of `video` as it is shown; None where nothing of it is. `prefix`: of the
    version, if there is one."""

    video: VideoRow | None
    webvtt: str
    prefix: str | None


@contextmanager
def same_version() -> Iterator[None]:
    """Raises ApplicationError, to be tried again, where another version is shown than what was looked at."""
    try:
        yield
    except VersionChanged as error:
        raise ApplicationError("another version is shown by now", type=ErrorType.LOST_RACE) from error


class CaptionJobs:
    def __init__(
        self, *, files: JobFiles, sources: Sources, sandbox: Sandbox, captioning: Captioning
    ) -> None:
        self._files = files
        self._sources = sources
        self._sandbox = sandbox
        self._captioning = captioning

    async def run(self, ref: JobRef, payload: Mapping[str, Any]) -> JobOutcome:
        """Raises BadInput."""
        source, suffix = await self._sources.find(ref, payload, CAPTIONS.limits.source_bytes)
        async with (
            self._files.opened(ref, source, suffix) as file,
            self._sandbox.open(CAPTIONS.name, ref.job_id) as child,
        ):
            with self._files.folder() as folder:
                out = Path(folder)
                answer = await computed(child, file, CAPTIONS.name, parameters={}, out=out, job_id=ref.job_id)
            await child.end()  # no step follows
        if error := answer.get("error"):
            raise BadInput(error["code"], error["detail"])
        try:
            found = _Found.model_validate(answer)
        except ValidationError:
            raise BadInput(errors.TASK_CRASHED) from None
        try:
            return await self._shown(ref, payload, found.languages)
        except NotShown:
            raise BadInput(errors.VIDEO_NOT_READY) from None

    async def source_of(self, tenant_id: int, video_id: int) -> str | None:
        """The key of the file that the lecture is of, as it is shown; None where that is not known."""
        try:
            made_of = await self._captioning.made_of(await self._captioning.shown(tenant_id, video_id))
        except NotShown:
            return None
        return made_of.key or None if made_of else None

    async def placed(self, tenant_id: int, video_id: int, webvtt: str, source: SourceRef) -> Placed:
        """What was heard in `source`, on the clock of what is shown of it. Raises NotPlaced."""
        try:
            video = await self._captioning.shown(tenant_id, video_id)
        except NotShown:
            return Placed(None, webvtt, await self._captioning.prefix(tenant_id, video_id))
        made_of = await self._captioning.made_of(video)
        if made_of is None or not made_of.start:
            return Placed(video, webvtt, video.hls_prefix)
        if source.key != made_of.key or (made_of.etag and source.etag != made_of.etag):
            raise NotPlaced
        start, duration = round(made_of.start * 1000), round((video.duration or 0.0) * 1000)
        cues = within(_heard(webvtt), start, start + duration)
        return Placed(video, files(cues, duration)[WHOLE], video.hls_prefix)

    async def machine_made(self, ref: JobRef, heard: Placed) -> bool:
        """Show what a model has heard. False where the lecture is not shown itself, or nothing was said.
        Raises ApplicationError where another version is shown by now."""
        cues = _heard(heard.webvtt)
        if heard.video is None or not cues:
            return False
        cues, _ = fitted(cues, round((heard.video.duration or 0.0) * 1000))
        name = name_of(HEARD_IN, Origin.MACHINE)
        new = NewCaptions(language=HEARD_IN, name=name, cues=cues, origin=Origin.MACHINE)
        try:
            with same_version():
                await self._captioning.add(heard.video, ref.job_id, [new])
        except NotShown:
            return False
        return True

    async def _is_meant(self, ref: JobRef, payload: Mapping[str, Any], video: VideoRow) -> bool:
        """Whether the file's times are of what is shown: as it says, else by when it was handed in."""
        if said := payload.get("version"):
            return video.hls_prefix is not None and version_name(video.hls_prefix) == said
        return not await self._captioning.was_trimmed_since(video, ref.job_id)

    async def _shown(self, ref: JobRef, payload: Mapping[str, Any], found: list[_Language]) -> JobOutcome:
        """Raises NotShown, BadInput."""
        tenant, video_id = ref.tenant_id or 0, int(payload["video_id"])
        video = await self._captioning.shown(tenant, video_id)
        if not await self._is_meant(ref, payload, video):
            raise BadInput(errors.VERSION_CHANGED)
        new: list[NewCaptions] = []
        corrections: list[Corrections] = []
        for each in found:
            cues, corrected = fitted([Cue(*cue) for cue in each.cues], round((video.duration or 0.0) * 1000))
            language = _language(each, payload, alone=len(found) == 1)
            name = _unlike(_name(each, payload, language, alone=len(found) == 1), new)
            default = bool(payload.get("default")) and not new
            new.append(NewCaptions(language=language, name=name, cues=cues, is_default=default))
            corrections.append(corrected)
        if not all(each.cues for each in new):
            raise BadInput(errors.CAPTIONS_OUTSIDE)
        with same_version():
            rows = await self._captioning.add(video, ref.job_id, new)
        captions = [
            _told(row, corrected, each.without_text)
            for row, corrected, each in zip(rows, corrections, found, strict=True)
        ]
        review = [
            f"{row.name}: {corrected.left_out} cues outside of the lecture are not shown"
            for row, corrected in zip(rows, corrections, strict=True)
            if corrected.left_out
        ]
        result: dict[str, Any] = {"summary": {"video_id": video_id}, "captions": captions}
        if review:
            result["review"] = review
        return JobOutcome(state=JobState.REVIEW_REQUIRED if review else JobState.DONE, result=result)


def _heard(webvtt: str) -> list[Cue]:
    """Of our own text; none where nothing was said."""
    try:
        (heard,) = read(webvtt)
    except CaptionsError:
        return []
    return heard.cues


def _told(row: NewCaption, corrected: Corrections, without_text: int) -> dict[str, Any]:
    """One language, and what was not taken as it stood."""
    counts = {name: count for name, count in asdict(corrected).items() if count}
    if without_text:
        counts["without_text"] = without_text
    return {
        "id": str(row.id),
        "language": row.language,
        "name": row.name,
        "cues": row.cues,
        "corrected": counts,
    }


def _language(found: _Language, payload: Mapping[str, Any], *, alone: bool) -> str:
    """What the file says, unless somebody has said it of its only language. Raises BadInput."""
    said: str | None = payload.get("language")
    language = said or found.language if alone else found.language or said
    if language is None:
        raise BadInput(errors.CAPTIONS_LANGUAGE_UNKNOWN)
    return language


def _name(found: _Language, payload: Mapping[str, Any], language: str, *, alone: bool) -> str:
    said: str | None = payload.get("name") if alone else None
    return said or found.name or name_of(language)


def _unlike(name: str, others: list[NewCaptions]) -> str:
    taken, again = {each.name for each in others}, 1
    while (numbered := f"{name} {again}" if again > 1 else name) in taken:
        again += 1
    return numbered
