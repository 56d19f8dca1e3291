"""Which way a draft goes: what is asked for, or what can be done instead. Pure."""

from dataclasses import dataclass

from contracts.errors import ADVERTISING_BY_ALIMTALK, IMAGE_WITH_ALIMTALK, NOT_BY_EMAIL
from contracts.messaging import Account, Draft, Template
from rules.messaging.compose import usable
from rules.messaging.unsendable import Unsendable

_OF_THE_DRAFT = (ADVERTISING_BY_ALIMTALK, IMAGE_WITH_ALIMTALK)  # by a text it would be another message


@dataclass(frozen=True)
class Sent:
    """A draft as it can be sent. `as_text_because`: the code that keeps it from being an Alimtalk."""

    draft: Draft
    template: Template | None = None
    as_text_because: str | None = None


def as_sent(
    draft: Draft, template: Template | Unsendable | None, account: Account, default_pf_id: str | None
) -> Sent:
    """`both` without a template that can be used is a text message, and without a text it is an Alimtalk
    alone. `template` may be the reason why there is none. Raises Unsendable."""
    if draft.mode == "email":
        # The law wants more of an advertisement by e-mail than we add: a way out that works by itself.
        for field in ("advertising", "image_key"):
            if getattr(draft, field):
                raise Unsendable(NOT_BY_EMAIL, {"field": field})
    if not draft.by_kakao:
        return Sent(draft)
    if draft.mode == "both" and not draft.text.strip():
        draft = draft.model_copy(update={"mode": "alimtalk"})
    try:
        if isinstance(template, Unsendable):
            raise template
        usable(template, draft, account, default_pf_id)
    except Unsendable as error:
        if draft.mode != "both" or error.code in _OF_THE_DRAFT:
            raise
        return Sent(draft.model_copy(update={"mode": "sms"}), as_text_because=error.code)
    return Sent(draft, template)
