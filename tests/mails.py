"""A mail server of the test's own, in a thread of this process, and e-mails through it."""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import partial
from threading import Event
from typing import Any, cast
from uuid import UUID

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from activities.messaging.mail_servers import MailServers
from activities.messaging.mailing import MailActivities
from clients.database import mail_servers
from clients.solapi import Solapi
from contracts.mail import MailServer
from contracts.messaging import Draft, Recipient
from tests.lab import fresh_id
from tests.messages import Mail

# What is done instead of what is asked, and for how many mails.
CUT_BEFORE_DATA, CUT_IN_DATA, CUT_AFTER_DATA = "cut before data", "cut in data", "cut after data"
SILENT = "silent"  # it has the mail and says nothing


@dataclass
class Post:
    """`got`: what was taken, in order. `faults`: by recipient, what happens to the next mails; a word of
    above, or an answer to RCPT (`RCPT 450 …`) or to the end of a mail (`END 550 …`)."""

    got: list[Envelope] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)
    held: Event = field(default_factory=Event)  # somebody is at `SILENT`, by this connection
    silent: Any = None

    def fault(self, envelope: Envelope, kind: str) -> str:
        """The next fault of whom it is to, where it begins with `kind`; it happens once."""
        waiting = self.faults.get(envelope.rcpt_tos[0] if envelope.rcpt_tos else "", [])
        return waiting.pop(0) if waiting and waiting[0].startswith(kind) else ""

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        waiting = self.faults.get(address, [])
        if waiting and waiting[0].startswith("RCPT "):
            return waiting.pop(0).removeprefix("RCPT ")
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if answer := self.fault(envelope, "END "):
            return answer.removeprefix("END ")
        self.got.append(envelope)
        if self.fault(envelope, CUT_AFTER_DATA):
            server.transport.abort()
        if self.fault(envelope, SILENT):
            self.silent = server.transport
            self.held.set()
            await cast(Any, server.loop).create_future()
        return "250 2.0.0 OK"

    def mails(self, to: str = "") -> list[EmailMessage]:
        found = [each for each in self.got if to in ("", each.rcpt_tos[0])]
        return [
            cast(EmailMessage, message_from_bytes(each.original_content, policy=default)) for each in found
        ]


class Faulty(SMTP):
    """Cuts the connection in the middle of a mail."""

    async def smtp_DATA(self, arg: str) -> None:
        post = cast(Post, self.event_handler)
        if post.fault(self.envelope, CUT_BEFORE_DATA):
            self.transport.abort()
        elif post.fault(self.envelope, CUT_IN_DATA):
            await self.push("354 go on")
            await self._reader.readline()
            self.transport.abort()
        else:
            await super().smtp_DATA(arg)


class PostOffice(Controller):
    """`with PostOffice() as office`: a server at `office.port`. `password`: of its only user."""

    def __init__(
        self,
        *,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        port: int = 0,
    ) -> None:
        self.post = Post()
        self._password = password
        self._said: list[str] = []
        server = partial(
            Faulty,
            hostname="mail.test",
            tls_context=None if implicit else tls,
            require_starttls=bool(tls) and not implicit,
            authenticator=self._signs_in if password else None,
            auth_required=bool(password),
            auth_require_tls=bool(tls) and not implicit,
        )
        super().__init__(self.post, hostname="127.0.0.1", port=port, ssl_context=tls if implicit else None)
        self.factory = lambda: server(self.handler)  # type: ignore[method-assign]

    @property
    def said(self) -> list[str]:
        """How somebody tried to sign in."""
        return self._said

    def _signs_in(
        self, server: SMTP, session: Session, envelope: Envelope, kind: str, data: Any
    ) -> AuthResult:
        self._said.append(kind)
        good = isinstance(data, LoginPassword) and data.password == (self._password or "").encode()
        return AuthResult(success=good, handled=False)

    def _trigger_server(self) -> None:
        """Port 0 is any that is free."""
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    def hang_up(self) -> None:
        """Cut the connection of who was told nothing."""
        self.loop.call_soon_threadsafe(self.post.silent.abort)

    def __enter__(self) -> "PostOffice":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def settings(self, **more: Any) -> MailServer:
        values = {"host": "127.0.0.1", "port": self.port, "tls": "none", "sender": "notice@academy.test"}
        return MailServer.model_validate(values | more)


def e_mail(text: str = "#{이름} 학생이 등원했습니다.", subject: str = "등원 알림", **more: Any) -> Draft:
    return Draft(mode="email", text=text, subject=subject, **more)


def people(count: int, domain: str = "") -> list[Recipient]:
    """Addresses that no other test uses."""
    domain = domain or f"d{fresh_id()}.test"
    return [
        Recipient(id=f"student-{n}", to=f"parent{n}@{domain}", variables={"이름": f"김하늘{n}"})
        for n in range(count)
    ]


async def academy(mail: Mail, server: MailServer, **account: Any) -> int:
    """A new tenant with a mail server of its own."""
    tenant = await mail.account(**account)
    await serve(mail, tenant, server)
    return tenant


async def serve(mail: Mail, tenant: int, server: MailServer) -> None:
    sealed = (await mail.keys.sealer(tenant)).seal(server.model_dump_json().encode(), mail_servers.SEALED)
    async with mail.lab.engine.begin() as connection:
        await mail_servers.save(connection, tenant, sealed)


async def ends(mail: Mail, job: UUID) -> list[tuple[str, str | None]]:
    await mail.ended(job)
    return await mail.states(job)


def mailing(mail: Mail, solapi: Solapi, now: Callable[[], datetime]) -> MailActivities:
    servers = MailServers(mail.lab.engine, mail.keys, None, None)
    return MailActivities(mail.lab.engine, mail.keys, solapi, now, servers)


def to(people: Sequence[Recipient]) -> list[str]:
    return [each.to for each in people]
