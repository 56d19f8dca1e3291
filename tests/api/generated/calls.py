"""A lecture from its file to its end, by the client that openapi-python-client has made."""

import os
import sys
import time
from pathlib import Path

import httpx
from lectures.api.jobs import jobs_get_job, jobs_start
from lectures.api.uploads import uploads_begin, uploads_complete, uploads_make_video
from lectures.api.videos import videos_get_video
from lectures.client import AuthenticatedClient
from lectures.models import EncodePayload, UploadWanted, UploadWantedPurpose, VideoEncodeJob, VideoWanted


def main(file: Path) -> None:
    client = AuthenticatedClient(
        base_url=os.environ["API"], token=os.environ["KEY"], timeout=httpx.Timeout(60)
    )
    wanted = UploadWanted(
        filename=file.name,
        size=file.stat().st_size,
        content_type="video/mp4",
        purpose=UploadWantedPurpose.VIDEO,
    )
    upload = uploads_begin.sync(client=client, body=wanted)
    httpx.put(upload.upload_url, content=file.read_bytes(), headers={"Content-Type": "video/mp4"})
    uploads_complete.sync(upload.upload_id, client=client)
    made = VideoWanted(upload_id=upload.upload_id, title=file.stem)
    video = uploads_make_video.sync(client=client, body=made)
    asked = VideoEncodeJob(job_type="video.encode", payload=EncodePayload(video_id=video.video_id))
    job = jobs_start.sync(client=client, body=asked)
    while not (seen := jobs_get_job.sync(job.job_id, client=client)).finished_at:
        time.sleep(0.5)
    print(seen.status.value, videos_get_video.sync(video.video_id, client=client).status)


main(Path(sys.argv[1]))
