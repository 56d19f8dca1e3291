"""What stands in the regions that an exam gives for its questions."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, ValidationError


class Region(BaseModel):
    """`region_meta`: the upper left corner and size, in pixels of the upright page as in `result.json`, or as
    parts of it where all are at most 1. `page` counts from 1."""

    x: float = Field(ge=0)
    y: float = Field(ge=0)
    w: float = Field(gt=0)
    h: float = Field(gt=0)
    page: int = Field(default=1, ge=1)

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        across, down = (width, height) if max(self.x, self.y, self.w, self.h) <= 1 else (1, 1)
        return self.x * across, self.y * down, (self.x + self.w) * across, (self.y + self.h) * down


def in_regions(
    pages: Sequence[Mapping[str, Any]], questions: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The text of each question that has a region, by the middle of its words; and why a person should look:
    a region that is none, with nothing in it, or of a page that was read as it is written: nothing there has
    a place, and all of it would be in every region."""
    found, doubts = [], []
    numbers = {page["page"]: page for page in pages}
    for question in questions:
        if question.get("region_meta") is None:
            continue
        try:
            region = Region.model_validate(question["region_meta"])
        except ValidationError:
            doubts.append(f"question {question['number']}: its region is not understood")
            continue
        if (page := numbers.get(region.page)) is None:
            doubts.append(f"question {question['number']}: its region is on a page that was not read")
            continue
        if not page["width"]:
            doubts.append(
                f"question {question['number']}: its region is on a page whose words have no places"
            )
            continue
        box = region.box(page["width"], page["height"])
        lines = [[word for word in line["words"] if _inside(word["box"], box)] for line in page["lines"]]
        text = "\n".join(" ".join(word["text"] for word in line) for line in lines if line)
        if not text:
            doubts.append(f"question {question['number']}: nothing was read in its region")
        least = min((word["confidence"] for line in lines for word in line), default=0.0)
        found.append(
            {
                "exam_question_id": question["exam_question_id"],
                "number": question["number"],
                "page": region.page,
                "text": text,
                "confidence": least,
            }
        )
    return found, doubts


def _inside(word: Sequence[int], box: tuple[float, float, float, float]) -> bool:
    x, y = (word[0] + word[2]) / 2, (word[1] + word[3]) / 2
    left, top, right, bottom = box
    return left <= x <= right and top <= y <= bottom
