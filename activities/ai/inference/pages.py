"""The pages of a document as pictures for a model that sees; uploaded files are opened in the child alone."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from activities.ai.inference.quality import as_dict, measure
from activities.ai.pages import load, page_index, page_units
from activities.ai.sandbox.task import Assembled, Limits
from activities.ai.sniff import check_document

MAX_PAGES = 50
DPI = 150
SIDE = 2000  # pixels; models shrink what is larger
PAGES = "pages.json"


class Pages:
    """`pages.json` is {name of a picture: its measures}; a model looks at the pictures afterwards."""

    name = "handwriting_analysis"
    version = 1
    limits = Limits(source_bytes=200 * 2**20, memory_bytes=2 * 2**30, cpu_seconds=60, wall_seconds=90)

    def fingerprint(self) -> str:
        return f"opencv {cv2.__version__}"

    def plan(self, source: Path, parameters: Mapping[str, Any]) -> list[str]:
        check_document(source)
        return page_units(source, MAX_PAGES)

    def run(self, source: Path, unit: str, parameters: Mapping[str, Any], out: Path) -> dict[str, Any]:
        page = load(source, page_index(unit), "RGB", DPI)
        shrink = min(1.0, SIDE / max(page.shape[:2]))
        size = max(1, round(page.shape[1] * shrink)), max(1, round(page.shape[0] * shrink))
        picture = cv2.cvtColor(cv2.resize(page, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
        (out / "page.jpg").write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
        return dict(as_dict(measure(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False))))

    def assemble(
        self,
        source: Path,
        results: Sequence[tuple[str, dict[str, Any]]],
        *,
        parameters: Mapping[str, Any],
        units: Path,
        out: Path,
    ) -> Assembled:
        pages = {f"{unit}.jpg": result for unit, result in results}
        for unit, _ in results:
            shutil.copyfile(units / unit / "page.jpg", out / f"{unit}.jpg")
        (out / PAGES).write_text(json.dumps(pages))
        return Assembled({"pages": len(pages)}, (PAGES, *pages))


HANDWRITING = Pages()
