"""Texts that an academy keeps under a name, to be sent again and again."""

from typing import Annotated

from pydantic import Field

from contracts.messaging import Private

NAME_LENGTH = 60
# In an address: neither its own marks nor blanks at the ends, and something to be read.
TemplateName = Annotated[
    str,
    Field(
        max_length=NAME_LENGTH,
        pattern=r"^[^\x00-\x20\x7f/?#%](?:[^\x00-\x1f\x7f/?#%]*[^\x00-\x20\x7f/?#%.])?$",
    ),
]


class TextTemplate(Private):
    """A message's text and subject with `#{variable}`."""

    text: str = Field(min_length=1, max_length=10_000)
    subject: str | None = Field(default=None, max_length=200)
