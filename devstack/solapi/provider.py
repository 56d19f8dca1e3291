"""The provider itself, in memory: groups, money, time, and the ledger of what was really sent."""

import secrets
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from devstack.solapi.answers import Json, Refusal, invalid, iso, moment_of
from devstack.solapi.carriers import PRICES, Step, fate, journey
from devstack.solapi.groups import Group, refund_of
from devstack.solapi.messages import Account, Message, register

REQUEST_MESSAGES, GROUP_MESSAGES = 10_000, 1_000_000
SCHEDULE_DAYS = 183

KST = ZoneInfo("Asia/Seoul")


@dataclass
class Pace:
    """Seconds: a group's messages start within `spread`; each one's report comes `soon` or `late` after."""

    spread: float = 0.2
    soon: float = 0.2
    late: float = 5.0


class Clock:
    """Real time plus what tests have added."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        return time.time() + self.offset


@dataclass
class Provider:
    """All state. Its methods are Solapi's calls; each may raise Refusal."""

    account: Account
    balance: int
    clock: Clock = field(default_factory=Clock)
    pace: Pace = field(default_factory=Pace)
    inactive_apps: set[str] = field(default_factory=set)
    groups: dict[str, Group] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    ledger: list[Message] = field(default_factory=list)  # one entry for each hand-over to a carrier
    outbox: deque[Message] = field(default_factory=deque)  # reported, and not yet told by webhook
    _waiting: set[Group] = field(default_factory=set)  # scheduled, or with reports to come
    _run: str = field(default_factory=lambda: secrets.token_hex(3).upper())
    _numbers: Iterator[int] = field(default_factory=count)

    def group(self, group_id: str, moment: float | None = None) -> Group:
        """The group as it was known at a moment."""
        group = self.groups.get(group_id)
        if group is None or (moment is not None and group.created > moment):
            raise Refusal(404, "ResourceNotFound", "해당 그룹아이디가 존재하지 않습니다.")
        return group

    def create(self, body: Json) -> Group:
        agent, fields = body.get("agent") or body, body.get("customFields") or {}
        if not isinstance(fields, dict):
            raise invalid("customFields")
        now = self.clock.now()
        group = Group(
            self._new_id("G", now),
            now,
            bool(body.get("allowDuplicates")),
            fields,
            body.get("appId"),
            agent.get("sdkVersion"),
            agent.get("osPlatform"),
        )
        group.turn(now, "PENDING", "메시지 그룹이 생성되었습니다.")
        self.groups[group.id] = group
        return group

    def add(self, group: Group, bodies: Any) -> list[Message]:
        """Register messages: all of them, the refused ones with the code that says why."""
        now = self.clock.now()
        group.must_be_pending(now)
        if not isinstance(bodies, list) or not bodies or not all(isinstance(b, dict) for b in bodies):
            raise invalid("messages")
        each = [
            body | {"to": to}
            for body in bodies
            for to in (body["to"] if isinstance(body.get("to"), list) else [body.get("to")])
        ]
        if len(each) > REQUEST_MESSAGES or len(group.messages) + len(each) > GROUP_MESSAGES:
            raise Refusal(413, "RecipientsTooMany", "수신번호가 너무 많습니다.")
        taken: set[str] = set() if group.allow_duplicates else set(group.recipients)
        stamp = self._stamp("M", now)
        new: list[Message] = []
        for body in each:
            message = register(body, self.account, taken, lambda: self._numbered(stamp), group.id, now)
            if not group.allow_duplicates:
                taken.add(message.to)
            new.append(message)
        group.recipients |= taken
        group.messages += new
        self.messages.update((message.id, message) for message in new)
        return new

    def remove(self, group: Group, ids: list[str]) -> set[str]:
        """The ids of those that were in the group and are not any more."""
        group.must_be_pending(self.clock.now())
        gone = {message.id: message for message in group.messages if message.id in set(ids)}
        group.messages = [message for message in group.messages if message.id not in gone]
        group.recipients -= {message.to for message in gone.values()}
        for id in gone:
            del self.messages[id]
        return set(gone)

    def send(self, group: Group) -> Group:
        now = self.clock.now()
        group.must_be_pending(now)
        self._must_have_messages(group)
        if group.app_id in self.inactive_apps:
            raise Refusal(400, "InactiveApp", "비활성화된 앱입니다.")
        if self._price(group) > self.balance:
            raise Refusal(402, "NotEnoughBalance", "현재보유 잔액이 부족합니다.")
        self._dispatch(group, now)
        return group

    def schedule(self, group: Group, date: object) -> Group:
        now = self.clock.now()
        group.must_be_pending(now)
        self._must_have_messages(group)
        moment = _scheduled(date)
        if not now < moment <= now + SCHEDULE_DAYS * 86_400:
            raise invalid("예약시간은 현재시간 이후 6개월 이내로 설정 가능합니다.")
        group.scheduled = moment
        group.turn(now, "SCHEDULED", "메시지 예약이 성공적으로 접수됐습니다.")
        self._waiting.add(group)
        return group

    def cancel(self, group: Group) -> Group:
        now = self.clock.now()
        if group.status(now) != "SCHEDULED":
            raise Refusal(400, "InvalidStatus", "예약된 그룹이 아닙니다.")
        group.scheduled = None
        group.turn(now, "PENDING", "예약이 취소되었습니다.")
        return group

    def delete(self, group: Group) -> Group:
        now = self.clock.now()
        if group.status(now) != "PENDING":
            raise Refusal(400, "InvalidStatus", "'PENDING' 상태의 그룹만 삭제할 수 있습니다.")
        group.turn(now, "DELETED", "메시지 그룹이 삭제되었습니다.")
        return group

    def send_many(self, body: Json) -> tuple[Group, list[Message]]:
        """The one-call send of the SDKs; a scheduledDate in the past means now."""
        date = body.get("scheduledDate")
        later = date is not None and _scheduled(date) > self.clock.now()
        group = self.create(body)
        new = self.add(group, body.get("messages"))
        if not group.accepted:
            group.turn(self.clock.now(), "FAILED", "모든 메시지의 접수에 실패했습니다.")
        elif later:
            self.schedule(group, date)
        else:
            self.send(group)
        return group, new

    def settle(self) -> None:
        """Let happen what is due: scheduled groups leave, reports come in and move money."""
        now = self.clock.now()
        for group in [*self._waiting]:
            if group.scheduled is not None and group.scheduled <= now and group.status(now) == "SCHEDULED":
                self._leave(group, group.scheduled)
            while group.reports and group.reports[-1][0] <= now:
                message = group.reports.pop()[1]
                last = message.journey[-1]
                self.balance += refund_of(message, last.code) - (PRICES[last.type] if last.replacement else 0)
                self.outbox.append(message)
            if not group.reports and group.status(now) != "SCHEDULED":
                self._waiting.discard(group)

    def sent_entries(self, match: str | None) -> list[Json]:
        """The ledger; `match` is a value among a message's custom fields."""
        now = self.clock.now()
        entries = []
        for message in self.ledger:
            if match is not None and match not in message.fields.values():
                continue
            step = message.at(now)
            entries.append(
                {
                    "to": message.to,
                    "from": message.sender,
                    "text": message.shown_text(step),
                    "type": step.type,
                    "groupId": message.group_id,
                    "messageId": message.id,
                    "customFields": message.fields,
                    "statusCode": step.code,
                    "replacement": step.replacement,
                    "dateSent": iso(message.sent),
                }
            )
        return entries

    def _leave(self, group: Group, moment: float) -> None:
        if self._price(group) <= self.balance:
            return self._dispatch(group, moment)
        group.turn(moment, "FAILED", "잔액이 부족하여 발송에 실패하였습니다.")
        for message in group.accepted:
            message.sent, message.journey = moment, (Step(0, "2230", message.type),)

    def _dispatch(self, group: Group, moment: float) -> None:
        """Hand all accepted messages over, charge for them, and decide what will become of each."""
        messages, pace = group.accepted, self.pace
        self.balance -= self._price(group)
        done = moment
        for index, message in enumerate(messages):
            message.sent = moment + pace.spread * index / len(messages)
            message.journey = journey(
                fate(message.to),
                message.type,
                message.fallback,
                message.template_fits,
                pace.soon,
                pace.late,
            )
            done = max(done, message.reported)
        reports = [(message.reported, message) for message in messages if len(message.journey) > 1]
        group.reports = sorted(reports, key=itemgetter(0))[::-1]
        group.sent, group.done = moment, done
        group.turn(moment, "SENDING", "메시지를 발송했습니다.")
        self.ledger += messages
        self._waiting.add(group)

    @staticmethod
    def _must_have_messages(group: Group) -> None:
        if not group.accepted:
            raise Refusal(404, "MessagesNotFound", "해당 그룹에 메시지가 존재하지 않습니다.")

    @staticmethod
    def _price(group: Group) -> int:
        return sum(PRICES[message.type] for message in group.accepted)

    def _new_id(self, kind: str, now: float) -> str:
        return self._numbered(self._stamp(kind, now))

    def _stamp(self, kind: str, now: float) -> str:
        return f"{kind}4V{datetime.fromtimestamp(now, KST):%Y%m%d%H%M%S}{self._run}"

    def _numbered(self, stamp: str) -> str:
        return f"{stamp}{next(self._numbers):09d}"


def _scheduled(date: object) -> float:
    try:
        return moment_of(date)
    except ValueError as error:
        raise invalid("scheduledDate") from error
