"""Who a member of staff is, as a token, a session or a provider says it."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, field_validator, model_validator

from contracts.base import is_storable
from contracts.rights import Right

Moment = Annotated[float, Field(ge=0, lt=253402300800, allow_inf_nan=False)]  # until the end of the year 9999


def _storable(text: str) -> str:
    """Sessions and records have it."""
    if not is_storable(text):
        raise ValueError("nothing that could be stored")
    return text


class Staff(BaseModel):
    """Who it is, and what they may: read everything (`role: operator`), or what is their tenant's; of that,
    what `roles` says. None: the token says nothing of it. `auth_time`: when they last showed who they are."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    sub: Annotated[str, AfterValidator(_storable)] = Field(min_length=1, max_length=200)
    exp: Moment
    iat: Moment | None = None
    auth_time: Moment | None = None
    tenant_id: StrictInt | None = Field(default=None, gt=0, lt=2**63)
    role: str | None = None
    roles: frozenset[Right] | None = None

    @field_validator("roles", mode="before")
    @classmethod
    def _known_roles(cls, given: object) -> object:
        """Those of other systems are no rights here."""
        if isinstance(given, list | tuple):
            return {each for each in given if isinstance(each, str) and each in set(Right)}
        return given

    @model_validator(mode="after")
    def _may_something(self) -> Self:
        if self.tenant_id is None and self.role != "operator":
            raise ValueError("neither of a tenant nor an operator")
        return self

    @property
    def authenticated_at(self) -> float:
        """In seconds since 1970; 0 where nothing is known of it."""
        return self.auth_time if self.auth_time is not None else self.iat or 0.0

    @property
    def rights(self) -> frozenset[Right]:
        return self.roles or frozenset()

    def may_read(self, tenant_id: int | None) -> bool:
        return self.role == "operator" or (tenant_id is not None and self.tenant_id == tenant_id)

    def with_rights(self, default: frozenset[Right]) -> Self:
        """The same person, with `default` where nothing was said of rights."""
        return self.model_copy(update={"roles": default}) if self.roles is None else self
