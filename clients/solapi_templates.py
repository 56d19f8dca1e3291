"""Alimtalk templates at Solapi (`kakao/v2`), of one account. Raises SolapiError's kinds from every call."""

from typing import Any
from urllib.parse import quote

from clients.solapi import PAGE, NotUnderstood, Solapi

MOST_PAGES = 20  # of PAGE templates each: a channel has no ten thousand


class TemplateCalls:
    def __init__(self, solapi: Solapi) -> None:
        self._solapi = solapi

    async def of_channel(self, channel_id: str) -> list[dict[str, Any]]:
        """All of a channel; what the provider lists of others is left out."""
        found: list[dict[str, Any]] = []
        start_key: str | None = None
        for _ in range(MOST_PAGES):
            query = {"channelId": channel_id, "limit": str(PAGE)}
            query |= {"startKey": start_key} if start_key else {}
            answer = await self._solapi.call("templates", "GET", "/kakao/v2/templates", query=query)
            page, start_key = answer.get("templateList"), answer.get("nextKey")
            if not isinstance(page, list) or not isinstance(start_key, str | None):
                raise NotUnderstood
            found += [each for each in page if isinstance(each, dict) and each.get("channelId") == channel_id]
            if not start_key:
                return found
        raise NotUnderstood

    async def categories(self) -> list[tuple[str, str]]:
        """Code and name of each kind of template."""
        answer = await self._solapi.call(
            "template_categories", "GET", "/kakao/v2/templates/categories", expects=list
        )
        found = [(each.get("code"), each.get("name")) for each in answer if isinstance(each, dict)]
        return [(code, name) for code, name in found if isinstance(code, str) and isinstance(name, str)]

    async def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """A PENDING template: nobody looks at it before that is asked for."""
        answer: dict[str, Any] = await self._solapi.call(
            "create_template", "POST", "/kakao/v2/templates", body
        )
        return answer

    async def request_inspection(self, template_id: str) -> dict[str, Any]:
        """Of a PENDING one; Refused in every other state."""
        return await self._inspection("request_inspection", template_id, "inspection")

    async def cancel_inspection(self, template_id: str) -> dict[str, Any]:
        """Of an INSPECTING one; Refused in every other state."""
        return await self._inspection("cancel_inspection", template_id, "inspection/cancel")

    async def _inspection(self, operation: str, template_id: str, step: str) -> dict[str, Any]:
        path = f"/kakao/v2/templates/{quote(template_id, safe='')}/{step}"
        answer: dict[str, Any] = await self._solapi.call(operation, "PUT", path)
        return answer
