"""Upload a lecture, have it encoded, and wait for the end. Needs httpx alone."""

import os
import sys
import time
from pathlib import Path

import httpx


def main(file: Path) -> None:
    key = {"Authorization": f"Bearer {os.environ['KEY']}"}
    with httpx.Client(base_url=f"{os.environ['API']}/api/v1", headers=key, timeout=60) as api:

        def post(path: str, asked: dict[str, object] | None = None) -> dict[str, str]:
            made: dict[str, str] = api.post(path, json=asked).raise_for_status().json()
            return made

        size = file.stat().st_size  # above 100 MB a file goes in parts
        wanted = {"filename": file.name, "size": size, "content_type": "video/mp4", "purpose": "video"}
        upload = post("/uploads", wanted)
        # The link is the store's and needs no key of ours.
        httpx.put(upload["upload_url"], content=file.read_bytes(), headers={"Content-Type": "video/mp4"})
        post(f"/uploads/{upload['upload_id']}/complete")
        video = post("/videos", {"upload_id": upload["upload_id"], "title": file.stem})
        job = post("/jobs", {"job_type": "video.encode", "payload": {"video_id": video["video_id"]}})
        while not (seen := api.get(f"/jobs/{job['job_id']}").raise_for_status().json())["finished_at"]:
            time.sleep(1)
    print(seen["status"], seen["error_message"] or seen["result"]["hls_path"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
