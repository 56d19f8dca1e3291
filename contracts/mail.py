"""A mail server, as settings and operators name it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.base import Contract

Host = Annotated[str, Field(max_length=253, pattern=r"^[A-Za-z0-9:]([A-Za-z0-9.:-]*[A-Za-z0-9])?$")]
Address = Annotated[str, Field(max_length=254, pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+$")]
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")]
Secret = Annotated[str, Field(min_length=1, max_length=500)]
Tls = Literal["starttls", "implicit", "none"]
PORTS: dict[Tls, int] = {"starttls": 587, "implicit": 465, "none": 25}


class MailServer(Contract):
    """`starttls` and `implicit` are demanded: a server that does not encrypt, or whose certificate is not
    good, gets nothing. `sender`: the address that e-mails are from. It prints no password."""

    host: Host
    port: int | None = Field(default=None, ge=1, le=65535)
    tls: Tls = "starttls"
    sender: Address
    sender_name: Name | None = None
    username: Secret | None = None
    password: Secret | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.username) != bool(self.password):
            raise ValueError("a user name and a password go together")
        if self.password and self.tls == "none":
            raise ValueError("without TLS a password would travel in the clear")
        return self

    @property
    def domain(self) -> str:
        return self.sender.rpartition("@")[2]
