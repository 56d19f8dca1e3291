"""The job `captions`: a file of captions is read, made to fit its lecture, and shown with it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from activities.ai.files import JobFiles, computed
from activities.ai.sandbox.parent import Sandbox
from activities.ai.sandbox.task import BadInput
from activities.ai.source import Sources
from activities.ai.tasks.captions.task import CAPTIONS
from clients.database.captions import NewCaption
from contracts import errors
from contracts.captions import LANGUAGE, Origin, name_of
from contracts.jobs import JobOutcome, JobRef, JobState
from intake.captions import HEARD_IN, Captioning, NewCaptions, NotShown
from rules.captions.cues import MOST_CUES, MOST_LANGUAGES, CaptionsError, Corrections, Cue, fitted, is_safe
from rules.captions.reading import read


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

    async def machine_made(self, ref: JobRef, video_id: int, webvtt: str) -> bool:
        """Show what a model has heard. False where the lecture is not shown itself."""
        tenant, language = ref.tenant_id or 0, HEARD_IN
        try:
            video = await self._captioning.shown(tenant, video_id)
            (heard,) = read(webvtt)  # our own
            cues, _ = fitted(heard.cues, round((video.duration or 0.0) * 1000))
            name = name_of(language, Origin.MACHINE)
            new = NewCaptions(language=language, name=name, cues=cues, origin=Origin.MACHINE)
            await self._captioning.add(tenant, video_id, ref.job_id, [new])
        except (NotShown, CaptionsError):  # nothing was said
            return False
        return True

    async def _shown(self, ref: JobRef, payload: Mapping[str, Any], found: list[_Language]) -> JobOutcome:
        """Raises NotShown, BadInput."""
        tenant, video_id = ref.tenant_id or 0, int(payload["video_id"])
        video = await self._captioning.shown(tenant, video_id)
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
        rows = await self._captioning.add(tenant, video_id, ref.job_id, new)
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
