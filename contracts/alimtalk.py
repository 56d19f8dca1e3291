"""Alimtalk templates: what KakaoTalk has looked at, or is to look at, before anybody may send it."""

from typing import Annotated

from pydantic import Field, StringConstraints

from contracts.base import Contract, Outside
from contracts.messaging import Button

APPROVED, PENDING, INSPECTING, REJECTED = "APPROVED", "PENDING", "INSPECTING", "REJECTED"  # the provider's
GONE = "GONE"  # ours: it was there, and the provider lists it no more
NAME_LENGTH, CONTENT_LENGTH, BUTTONS = 200, 1_000, 5


class Remark(Contract):
    """Something said about a template. `by_provider`: by who looks at it, not by the customer."""

    by_provider: bool
    at: str | None
    text: str


class AlimtalkTemplate(Contract):
    """As the provider shows it. `variables`: the names that its texts ask for."""

    template_id: str = Field(min_length=1, max_length=100)
    channel_id: str
    name: str
    status: str
    content: str
    buttons: tuple[Button, ...] = ()
    variables: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def remark(self) -> str | None:
        """What the provider has said last."""
        said = [each for each in self.remarks if each.by_provider]
        return max(said, key=lambda each: each.at or "").text if said else None


Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class NewAlimtalkTemplate(Outside):
    """A template to register. `category_code` is one of the provider's."""

    name: Annotated[Said, Field(max_length=NAME_LENGTH)]
    content: Annotated[Said, Field(max_length=CONTENT_LENGTH)]
    category_code: Annotated[Said, Field(max_length=20)]
    buttons: tuple[Button, ...] = Field(default=(), max_length=BUTTONS)


class Synced(Contract):
    """What a look at the provider's templates found: of how many academies, how many templates, how many of
    them otherwise than before."""

    academies: int = 0
    templates: int = 0
    changed: int = 0
