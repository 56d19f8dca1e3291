"""The control API for tests and demonstrations."""

from typing import Any, Self

import httpx

from devstack.solapi.answers import Json


class Simulator:
    """A running simulator, seen from the side door.

    `match` is a value among custom fields, such as a job's id.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/_simulator", timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def check(self) -> None:
        """Raises:
        OSError: it does not answer yet.
        """
        try:
            self._ask("GET", "/health")
        except httpx.HTTPError as error:
            raise OSError(str(error)) from error

    def fault(self, step: str, kind: str, **more: Any) -> int:
        """Order a fault (`faults.Fault` has the fields) and give its id."""
        return int(self._ask("POST", "/faults", {"step": step, "kind": kind, **more})["id"])

    def fired(self, fault_id: int) -> int:
        """How often it has hit a call."""
        return next(int(each["fired"]) for each in self._ask("GET", "/faults") if each["id"] == fault_id)

    def remove_fault(self, fault_id: int) -> None:
        self._ask("DELETE", f"/faults/{fault_id}")

    def clear_faults(self) -> None:
        self._ask("DELETE", "/faults")

    def ledger(self, match: str | None = None) -> list[Json]:
        """One entry for each message that was really handed to a carrier, oldest first: to, from, text, type,
        groupId, messageId, customFields, statusCode, replacement, dateSent."""
        return list(self._ask("GET", "/ledger", match=match))

    def groups(self, match: str | None = None) -> list[Json]:
        """Every group ever created, as the API shows it."""
        return list(self._ask("GET", "/groups", match=match))

    def calls(self, match: str | None = None) -> list[Json]:
        """Every API call: step, status (none after a reset), fault and the values it could be matched by."""
        return list(self._ask("GET", "/calls", match=match))

    def top_up(self, won: int) -> int:
        """The balance after adding to it."""
        return int(self._ask("POST", "/balance", {"amount": won})["balance"])

    def advance(self, seconds: float) -> None:
        """Move the clock on; what became due has happened when this returns."""
        self._ask("POST", "/clock", {"seconds": seconds})

    def now(self) -> str:
        """The simulator's time, ISO 8601."""
        return str(self._ask("GET", "/clock")["now"])

    def webhook(self, url: str | None, **more: Any) -> None:
        """Send reports there (`webhooks.WebhookSettings` has the fields); the counts start anew."""
        self._ask("PUT", "/webhook", {"url": url, **more})

    def webhook_counts(self) -> dict[str, int]:
        """Reports sent, failed (given up) and dropped."""
        return dict(self._ask("GET", "/webhook"))

    def settings(self, **changes: Any) -> None:
        """Change senders, inactive_apps, balance, or the seconds spread, soon and late."""
        self._ask("PATCH", "/settings", changes)

    def template(self, template_id: str, pf_id: str, content: str, **more: Any) -> None:
        """Register an Alimtalk template: also status, name, buttons, parts."""
        self._ask(
            "POST", "/templates", {"template_id": template_id, "pf_id": pf_id, "content": content, **more}
        )

    def page(self) -> str:
        """The page's HTML."""
        return httpx.get(self.url, timeout=30, trust_env=False).raise_for_status().text

    def _ask(self, method: str, path: str, body: Json | None = None, match: str | None = None) -> Any:
        params = {} if match is None else {"match": match}
        return self._http.request(method, path, json=body, params=params).raise_for_status().json()
