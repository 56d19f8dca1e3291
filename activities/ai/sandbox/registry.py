"""Which tasks there are. Their modules bring parsers along; those are used in the child alone."""

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from activities.ai.sandbox.task import Task

TASKS = {
    "ocr": "activities.ai.tasks.ocr.task:OCR",
    "ocr_plain": "activities.ai.tasks.ocr.task:PLAIN_OCR",
    "question_segmentation": "activities.ai.tasks.segmentation.task:SEGMENTATION",
    "omr_grading": "activities.ai.tasks.omr.task:OMR",
    "handwriting_analysis": "activities.ai.inference.pages:HANDWRITING",
    "captions_text": "activities.ai.tasks.captions.task:CAPTIONS",
    "excel_parsing": "activities.ai.tasks.roster.task:ROSTER",
}


def chosen(name: str, parameters: Mapping[str, Any]) -> str:
    """The task for jobs of this name: another where the parameters want an engine that runs programs."""
    return "ocr_plain" if name == "ocr" and parameters.get("engine") == "tesseract" else name


@cache
def task(name: str) -> Task:
    """The task object; KeyError for a name that is none of TASKS."""
    return load(TASKS[name])


def load(path: str) -> Task:
    """The object at `module:attribute`."""
    module, _, attribute = path.partition(":")
    found: Task = getattr(importlib.import_module(module), attribute)
    return found
