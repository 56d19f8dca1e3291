"""Alimtalk templates in the provider's answers. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from contracts.alimtalk import AlimtalkTemplate, NewAlimtalkTemplate, Remark
from contracts.base import storable
from rules.messaging.template import names, read
from rules.messaging.unsendable import Unsendable


def shown(answer: Mapping[str, Any]) -> AlimtalkTemplate | None:
    """The template in an answer of `kakao/v2/templates`; None where it cannot be read."""
    answer = storable(dict(answer))
    try:
        template = read(answer.get("templateId") or "", answer)
        return AlimtalkTemplate(
            template_id=template.id,
            channel_id=template.pf_id,
            name=answer.get("name") or template.id,
            status=template.status,
            content=template.content,
            buttons=template.buttons,
            variables=tuple(sorted(names(template.texts))),
            remarks=tuple(_remarks(answer.get("comments"))),
        )
    except (Unsendable, ValidationError):
        return None


def _remarks(found: object) -> Iterator[Remark]:
    """`memberId`, who has written it, is left out."""
    for each in found if isinstance(found, list) else ():
        if isinstance(each, Mapping) and isinstance(text := each.get("content"), str) and text.strip():
            at = each.get("dateCreated")
            yield Remark(
                by_provider=each.get("isAdmin") is True,
                at=at if isinstance(at, str) else None,
                text=text.strip(),
            )


def asked(wanted: NewAlimtalkTemplate, channel_id: str) -> dict[str, Any]:
    """What registers it, in the provider's words."""
    body: dict[str, Any] = {
        "channelId": channel_id,
        "name": wanted.name,
        "content": wanted.content,
        "categoryCode": wanted.category_code,
    }
    buttons = [each.model_dump(by_alias=True, exclude_none=True) for each in wanted.buttons]
    return body | ({"buttons": buttons} if buttons else {})


def is_same(known: AlimtalkTemplate, wanted: NewAlimtalkTemplate) -> bool:
    """Whether what is wanted is registered already: its first answer may have been lost."""
    return (known.name, known.content, known.buttons) == (wanted.name, wanted.content, wanted.buttons)
