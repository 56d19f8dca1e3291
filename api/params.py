"""Parameters that several paths have."""

from typing import Annotated

from fastapi import Header, Path, Query

JOB_ID = r"[A-Za-z0-9._:-]{1,100}"
JobId = Annotated[str, Path(pattern=f"^{JOB_ID}$")]
_NUMBER = Path(gt=0, lt=2**63)
StudentId = Annotated[int, _NUMBER]
ClassId = Annotated[int, _NUMBER]
SessionId = Annotated[int, _NUMBER]
Cursor = Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")]
VideoId = Annotated[int, Path(gt=0, lt=2**63)]
IdempotencyKey = Annotated[str | None, Header(max_length=100)]
Before = Annotated[int | None, Query(gt=0, lt=2**63)]
