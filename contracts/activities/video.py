"""The encode of a lecture, and its removal."""

from datetime import timedelta
from typing import TypeVar

from contracts.activities.reference import Activity, Retry
from contracts.base import Contract
from contracts.jobs import JobOutcome, JobRef
from contracts.names import TaskQueue
from contracts.trim import Cut, CutInput, CutPublished, PublishCutInput, TrimBegun, TrimInput
from contracts.video import (
    AudioInput,
    BatchInput,
    BeginEncode,
    Begun,
    EncodePlan,
    EraseInput,
    Manifest,
    OpenEncodes,
    PicturesInput,
    ProbeInput,
    Published,
    PublishInput,
    VideoRef,
)

In = TypeVar("In", bound=Contract)
Out = TypeVar("Out")

DATABASE_TIMEOUT = timedelta(seconds=30)
ENCODE_WITHIN = timedelta(days=2)  # waiting in the queue included


def _media(
    name: str,
    takes: type[In],
    returns: type[Out],
    *,
    hours: int,
    queue: TaskQueue = TaskQueue.VIDEO_ENCODE,
    retry: Retry = Retry.INFRASTRUCTURE,
) -> Activity[In, Out]:
    """It works on the source with ffmpeg: what comes after a cancel must not run beside it."""
    return Activity(
        name=name,
        takes=takes,
        returns=returns,
        queue=queue,
        start_to_close=timedelta(hours=hours),
        schedule_to_close=ENCODE_WITHIN,
        retry=retry,
        awaits_cancel=True,
    )


BEGIN = Activity(
    name="video.begin",
    takes=BeginEncode,
    returns=Begun,
    queue=TaskQueue.VIDEO_LIGHT,
    start_to_close=DATABASE_TIMEOUT,
)
PROBE = _media(  # fetches a source of 50 GB once to the host
    "video.probe", ProbeInput, EncodePlan, hours=2, queue=TaskQueue.VIDEO_LIGHT
)
ENCODE_BATCH = _media("video.encode_batch", BatchInput, Manifest, hours=2)
ENCODE_AUDIO = _media("video.encode_audio", AudioInput, Manifest, hours=4)
MAKE_PICTURES = _media("video.make_pictures", PicturesInput, Manifest, hours=2, retry=Retry.OPTIONAL)
PUBLISH = Activity(
    name="video.publish",
    takes=PublishInput,
    returns=Published,
    queue=TaskQueue.VIDEO_LIGHT,
    start_to_close=timedelta(minutes=15),
    schedule_to_close=ENCODE_WITHIN,
)
BEGIN_TRIM = Activity(
    name="video.begin_trim",
    takes=TrimInput,
    returns=TrimBegun,
    queue=TaskQueue.VIDEO_LIGHT,
    start_to_close=DATABASE_TIMEOUT,
)
CUT = _media("video.cut", CutInput, Cut, hours=2)
PUBLISH_CUT = Activity(
    name="video.publish_cut",
    takes=PublishCutInput,
    returns=CutPublished,
    queue=TaskQueue.VIDEO_LIGHT,
    start_to_close=timedelta(minutes=15),
    schedule_to_close=ENCODE_WITHIN,
)
DOWNLOAD = _media("video.download", JobRef, JobOutcome, hours=1)  # of `job.run`
MARK_DELETED = Activity(
    name="video.mark_deleted",
    takes=VideoRef,
    returns=OpenEncodes,
    queue=TaskQueue.VIDEO_LIGHT,
    start_to_close=DATABASE_TIMEOUT,
)
ERASE = Activity(
    name="video.erase",
    takes=EraseInput,
    returns=int,
    queue=TaskQueue.VIDEO_LIGHT,
    start_to_close=timedelta(hours=1),
)
