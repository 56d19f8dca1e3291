"""The two bases of everything that travels."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A body written by somebody else: tolerant in what is extra, exact in what is needed."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=False, hide_input_in_errors=True)


class Contract(BaseModel):
    """A value of our own between processes. New fields get defaults, so that running jobs still parse."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)
