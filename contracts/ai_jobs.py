"""What each type of AI job needs, and where its course differs from plan, units, assemble."""

from dataclasses import dataclass
from typing import Literal

ModelKind = Literal["chat", "embedding", "transcription", "handwriting"]


@dataclass(frozen=True)
class AiJob:
    """`at_once`: one activity reads the file and writes what it says; nothing is planned.
    `in_rows`: what it makes stands in Postgres; a database that was restored needs it made again.
    `of_people`: its units are nobody else's work, and erased when the job has ended.
    `written_pages`: after its units a model reads the pictures of the pages.
    `asks_models`: it has no units, and is worked on by asking models.
    `needs`: without this model it is nothing. `film`: what this model says of its film is kept in parts.
    `of_lectures`: the film may be a lecture: as large, known by its video, which gets the result.
    `captions`: it has no units; what its file says is shown with a lecture.
    `undoes`: it has no units and no file; it takes back what another job wrote."""

    at_once: bool = False
    in_rows: bool = False
    of_people: bool = False
    written_pages: bool = False
    asks_models: bool = False
    needs: ModelKind | None = None
    film: ModelKind | None = None
    of_lectures: bool = False
    captions: bool = False
    undoes: bool = False


PLAIN = AiJob()
