"""A group of messages. Its state is a function of time: late, scheduled and stale reads become one thing."""

from collections import Counter
from dataclasses import dataclass, field
from math import inf
from typing import Any

from devstack.solapi.answers import Json, Refusal, iso
from devstack.solapi.carriers import ACCEPTED, AT_CARRIER, DELIVERED, PRICES, TYPES
from devstack.solapi.messages import ACCOUNT, Message

# Why a group in this state cannot be sent, scheduled or filled.
BUSY = {
    "SENDING": (409, "GroupInProcessing", "이미 발송 요청된 그룹입니다."),
    "SCHEDULED": (409, "ScheduledGroup", "발송 예약된 그룹이므로 발송이 불가능합니다."),
    "COMPLETE": (409, "AlreadySent", "이미 발송이 완료된 그룹입니다."),
    "DELETED": (400, "DeletedGroup", "삭제된 그룹입니다."),
    "FAILED": (400, "FailedGroup", "발송에 실패한 그룹입니다."),
}


@dataclass(eq=False)
class Group:
    id: str
    created: float
    allow_duplicates: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    app_id: str | None = None
    sdk: str | None = None
    platform: str | None = None
    messages: list[Message] = field(default_factory=list)
    recipients: set[str] = field(default_factory=set)
    scheduled: float | None = None
    sent: float = inf
    done: float = inf
    reports: list[tuple[float, Message]] = field(default_factory=list)  # still to come, the next one last
    _states: list[tuple[float, str]] = field(default_factory=list)
    _log: list[Json] = field(default_factory=list)

    def turn(self, moment: float, status: str, why: str) -> None:
        """From `moment` on it is in this state."""
        self._states.append((moment, status))
        self._log.append({"message": why, "createAt": iso(moment)})

    def status(self, moment: float) -> str:
        """Its state at a moment after it was created."""
        if self.done <= moment:
            return "COMPLETE"
        return next(status for since, status in reversed(self._states) if since <= moment)

    def must_be_pending(self, moment: float) -> None:
        """Raises:
        Refusal: it is not.
        """
        if (status := self.status(moment)) != "PENDING":
            raise Refusal(*BUSY[status])

    @property
    def accepted(self) -> list[Message]:
        return [message for message in self.messages if message.code == ACCEPTED]

    def view(self, moment: float) -> Json:
        """As the API shows it at a moment."""
        status = self.status(moment)
        known = [message for message in self.messages if message.created <= moment]
        accepted = [message for message in known if message.code == ACCEPTED]
        steps = [m.at(moment) for m in accepted] if self.sent <= moment else []
        codes = Counter(step.code for step in steps)
        pending = codes[ACCEPTED] + codes[AT_CARRIER]
        failed = len(steps) - pending - codes[DELIVERED]
        replaced = [step.type for step in steps if step.replacement]
        charged = Counter(message.type for message in accepted)
        requested = sum(PRICES[message.type] for message in accepted) if steps else 0
        replacement = sum(PRICES[type] for type in replaced)
        refund = sum(refund_of(m, m.at(moment).code) for m in accepted) if steps else 0
        return {
            "groupId": self.id,
            "_id": self.id,
            "accountId": ACCOUNT,
            "masterAccountId": None,
            "apiVersion": "4",
            "sdkVersion": self.sdk,
            "osPlatform": self.platform,
            "status": status,
            "allowDuplicates": self.allow_duplicates,
            "isRefunded": refund > 0 and status == "COMPLETE",
            "customFields": self.fields,
            "count": {
                "total": len(known),
                "sentTotal": len(steps),
                "sentSuccess": codes[DELIVERED],
                "sentFailed": failed,
                "sentPending": pending,
                "sentReplacement": len(replaced),
                "refund": failed,
                "registeredFailed": len(known) - len(accepted),
                "registeredSuccess": len(accepted),
            },
            "countForCharge": {
                type.lower(): {"82": charged[type]} if charged[type] else {} for type in TYPES
            },
            "balance": {
                "requested": requested,
                "replacement": replacement,
                "refund": refund,
                "sum": requested + replacement - refund,
            },
            "point": {"requested": 0, "replacement": 0, "refund": 0, "sum": 0},
            "price": {"82": {type.lower(): price for type, price in PRICES.items()}},
            "app": {"appId": self.app_id, "version": None, "profit": {type.lower(): 0 for type in TYPES}},
            "log": self._log,
            "scheduledDate": iso(self.scheduled),
            "dateSent": iso(self.sent if self.sent <= moment else None),
            "dateCompleted": iso(self.done if self.done <= moment else None),
            "dateCreated": iso(self.created),
            "dateUpdated": iso(max(since for since, _ in self._states if since <= moment)),
        }


def refund_of(message: Message, code: str) -> int:
    """What comes back for a message with this code: nothing is charged for what was not delivered."""
    last = message.journey[-1]
    if code in (ACCEPTED, AT_CARRIER):
        return 0
    first = PRICES[message.type]
    if last.replacement:
        return first + (0 if code == DELIVERED else PRICES[last.type])
    return 0 if code == DELIVERED else first
