"""The activity that looks at a source and decides how it is encoded."""

from collections.abc import Callable
from pathlib import Path

from activities.host.threads import in_thread
from activities.implements import implements
from activities.video.damage import clipped, container_damage, worth_a_look
from activities.video.errors import final, media_errors
from activities.video.ffmpeg import Tools
from activities.video.marks import Marks
from activities.video.places import SMALLEST, index_of, parts_of
from activities.video.plan import LADDERS, make_plan
from activities.video.probe import SourceInfo, of_remux, probe
from activities.video.sources import Sources
from activities.video.storing import SegmentStore
from clients.objects import Objects
from clients.progress import ProgressBoard
from clients.vault import Vault
from contracts.activities import video
from contracts.errors import SOURCE_TOO_LARGE
from contracts.progress import video_progress
from contracts.video import PLAN, EncodePlan, LadderName, ProbeInput, SourceRef, Span, Watermark


class ProbeActivities:
    """Of lectures that are probed from now on, `encrypt`: their segments, with another key after
    `key_segments` of them; `ladder`: in which sizes those of a tenant are encoded; `watermark`: what is burnt
    into them. `encoder`: the fingerprint of this worker's ffmpeg."""

    def __init__(
        self,
        *,
        objects: Objects,
        board: ProgressBoard,
        sources: Sources,
        tools: Tools,
        encoder: str,
        scratch: Path,
        max_source_bytes: int,
        max_source_seconds: int,
        vault: Vault,
        encrypt: bool,
        key_segments: int,
        ladder: Callable[[int], LadderName],
        watermark: Callable[[int], Watermark | None],
    ) -> None:
        self._objects = objects
        self._store = SegmentStore(objects, vault)
        self._board = board
        self._sources = sources
        self._tools = tools
        self._encoder = encoder
        self._max_bytes = max_source_bytes
        self._max_seconds = max_source_seconds
        self._ladder = ladder
        self._watermark = watermark
        self._marks = Marks(objects, tools, scratch)
        self._key_id = vault.key_id if encrypt else None
        self._key_segments = key_segments if encrypt else 0

    @implements(video.PROBE)
    async def probe(self, job: ProbeInput) -> EncodePlan:
        """Look at every packet's timestamp, and decide how the source will be encoded."""
        await self._board.show_video(job.tenant_id, job.video_id, job.job_id, video_progress("probe", 0))
        with media_errors():
            source = await in_thread(self._objects.head, job.file_key)
            if source.size > self._max_bytes:
                raise final(SOURCE_TOO_LARGE)
            plan = await self.plan(source, job)
            return await self._begun(plan, self._watermark(job.tenant_id))

    async def plan(self, source: SourceRef, job: ProbeInput) -> EncodePlan:
        """How a source would be encoded now, but for a mark. Raises MediaError and what the store raises."""
        index = await in_thread(self._index, source)
        info = original = await self._look(source, index, job)
        needs_remux = info.needs_remux
        if needs_remux:
            async with self._sources.whole(source, True, original.streams) as path:
                info = of_remux(await probe(self._tools, path, max_seconds=self._max_seconds), original)
        sizes = LADDERS[self._ladder(job.tenant_id)]
        plan = make_plan(
            info, source, prefix=job.prefix, encoder=self._encoder, remux=needs_remux, sizes=sizes
        )
        lost = worth_a_look(
            clipped(container_damage(info, original), plan.origin, 0.0, float("inf")),
            plan.duration,
            picture=bool(plan.rungs),
        )
        if lost:
            async with self._sources.whole(source, needs_remux):
                await self._sources.check(source, needs_remux)
        remuxed = original.streams if needs_remux else None
        encryption = {"key_id": self._key_id, "key_segments": self._key_segments}
        plan = plan.model_copy(update={**encryption, "damage": lost, "remuxed": remuxed})
        if info.places and index:
            parts = parts_of(index, source.size, plan, info.places, info.sound_places, info.origin)
            plan = plan.model_copy(update={"parts": parts, "host": self._sources.host if parts else ""})
        return plan

    def _index(self, source: SourceRef) -> list[Span] | None:
        """None where all of it is fetched: it is small, or no MP4 with an index. Blocking."""
        if source.size < SMALLEST:
            return None
        return index_of(lambda start, end: self._objects.read(source, start, end), source.size)

    async def _look(self, source: SourceRef, index: list[Span] | None, job: ProbeInput) -> SourceInfo:
        """What is in it. Most is told by an index and the beginning, long before all of it is here."""

        async def look(path: Path, whole: bool) -> SourceInfo:
            return await probe(
                self._tools,
                path,
                max_seconds=self._max_seconds,
                sound_alone=job.sound_alone,
                indexed=index is not None,
                whole=whole,
            )

        if index:
            told = await self._sources.from_parts(source, index, lambda held: look(held.path, False))
            if told:
                return told
        async with self._sources.whole(source, False) as path:
            return await look(path, True)

    async def _begun(self, plan: EncodePlan, wanted: Watermark | None) -> EncodePlan:
        """With its mark, and stored, for who watches it while it grows."""
        if not plan.rungs:
            return plan
        if wanted:
            plan = plan.model_copy(update={"mark": await self._marks.drawn(plan, wanted)})
        await self._store.write(plan.prefix + PLAN, plan.model_copy(update={"parts": None}))
        return plan
