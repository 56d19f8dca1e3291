"""A thousand small pages through OCR as a worker does it: what worker and child have resident on the way."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from PIL import Image, ImageDraw, ImageFont

from activities.ai.sandbox.parent import Sandbox
from bench.ocr_pages import FONT
from tests.lab import Lab

PAGES = 1000
EVERY = 20  # pages between two looks


async def run(_lab: Lab) -> dict[str, object]:
    with TemporaryDirectory() as folder:
        began = time.monotonic()
        found = await measured(Path(folder), PAGES)
    worker, child = found["worker"], found["child"]
    return {
        "ours": {
            "pages_read": found["read"],
            "children": found["children"],
            "worker_mb": [min(worker) >> 20, max(worker) >> 20],
            "child_mb": [min(child) >> 20, max(child) >> 20],
            "seconds": round(time.monotonic() - began),
        },
        "unit": f"MB resident, least and most, over {PAGES} pages",
    }


async def measured(folder: Path, pages: int) -> dict[str, list[int] | int]:
    """Bytes resident every few pages, how many children there were, and how many pages had words."""
    file = volume(folder, pages)
    itself, worker, resident, children, read = psutil.Process(), [], [], set(), 0
    async with Sandbox(folder).open("ocr") as child:
        for number, unit in enumerate(await child.plan(file, {}), 1):
            with TemporaryDirectory(dir=folder) as out:
                result = await child.run(file, unit, {}, Path(out))
            read += any(line["words"] for line in result["lines"])
            if child._process is None:  # recycled just now
                continue
            children.add(child._process.pid)
            if number % EVERY == 0:
                worker.append(itself.memory_info().rss)
                resident.append(psutil.Process(child._process.pid).memory_info().rss)
    return {"worker": worker, "child": resident, "children": len(children), "read": read}


def volume(folder: Path, pages: int) -> Path:
    """Small pages with a word each."""
    font, pictures = ImageFont.truetype(FONT, 28), []
    for number in range(pages):
        page = Image.new("L", (160, 48), 255)
        ImageDraw.Draw(page).text((10, 8), f"{number}쪽", fill=0, font=font)
        pictures.append(page)
    file = folder / "volume.tif"
    pictures[0].save(file, save_all=True, append_images=pictures[1:])
    return file
