"""A mail server (RFC 5321), one mail to one address at a time. No command is repeated here; callers decide.

SMTP has no key by which a server knows a mail again, and no question what became of it. So a mail is handed
over in two steps, and the caller writes down between them that it may be on its way: up to `accepts` nothing
of it has left, and after `take` only the server's own answer says that it is not sent. What a server writes
beside its numbers is not repeated: it may hold the address.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiosmtplib import SMTP, SMTPException, SMTPResponse, SMTPResponseException
from aiosmtplib.errors import SMTPAuthenticationError

from clients import metrics, tracing
from contracts.mail import PORTS, MailServer

COMMAND = 30.0  # seconds for an answer to a command
CONTENT = 300.0  # and to the end of a mail; RFC 5321 4.5.3.2.6 wants ten minutes, an attempt has ten in all
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b", re.ASCII)  # RFC 3463
_CLOSING, _BEGIN, _DONE = 421, 354, 250
_DOTS = re.compile(rb"(?m)^\.")


class MailError(Exception):
    """`code`: a word of ours, or the server's number."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class MailServerAway(MailError):
    """No connection, no encryption that can be trusted, a lost connection or 421: nothing of a mail has been
    taken that was not said to be."""


class MailServerRefuses(MailError):
    """It takes nothing of us as we are: the name, the password, the sender's address."""


class Later(MailError):
    """4xx (RFC 5321 4.2.1): not taken, and worth another try."""


class Refused(MailError):
    """5xx: not taken, and would not be by asking again."""


class Unsure(MailError):
    """The mail has left and no answer came that can be understood: it may have been taken."""


class Connection:
    """A connection that is signed in. Raises MailError's kinds from every call."""

    def __init__(self, smtp: SMTP, sender: str) -> None:
        self._smtp = smtp
        self._sender = sender
        self.waits = False  # for a mail that it has agreed to take

    async def accepts(self, address: str) -> None:
        """Ask whether the server takes a mail to `address` now; then it waits for `take`, or for the end of
        the connection, which sends nothing."""
        for command, ours in (
            (b"MAIL FROM:<%b>" % self._sender.encode("ascii"), True),
            (b"RCPT TO:<%b>" % address.encode("ascii"), False),
        ):
            answer = await self._ask(command)
            if answer.code // 100 == 2:
                continue
            await self._again(answer)
            if ours and answer.code // 100 == 5:
                raise MailServerRefuses(coded(answer))
            raise _refusal(answer)
        answer = await self._ask(b"DATA")
        if answer.code != _BEGIN:
            await self._again(answer)
            raise _refusal(answer)
        self.waits = True

    async def take(self, mail: bytes) -> None:
        """Hand over the mail that `accepts` has asked for. Raises Later and Refused where the server says
        that it has not taken it, MailServerAway where nothing has left, Unsure where nobody says."""
        with metrics.PROVIDER_SECONDS.labels("mail").time(), tracing.span("smtp mail") as span:
            try:
                answer = await self._content(mail)
            finally:
                span.add(outcome="asked")
        self.waits = False
        if answer.code == _DONE:
            _count("done", answer)
            return
        if answer.code // 100 not in (4, 5):
            _count("ambiguous", answer)
            raise Unsure(coded(answer))
        raise _refusal(answer)

    async def _content(self, mail: bytes) -> SMTPResponse:
        protocol = self._smtp.protocol
        if protocol is None:  # lost between the two steps: nothing of the mail has left
            raise MailServerAway("lost")
        try:
            protocol.write(_DOTS.sub(b"..", mail) + b".\r\n")
        except (SMTPException, OSError) as error:  # likewise
            self._smtp.close()
            raise MailServerAway(type(error).__name__) from None
        try:
            return await protocol.read_response(timeout=CONTENT)
        except (SMTPException, OSError) as error:
            self._smtp.close()
            _count("ambiguous", None)
            raise Unsure(type(error).__name__) from None

    async def _ask(self, command: bytes) -> SMTPResponse:
        try:
            answer = await self._smtp.execute_command(command)
        except (SMTPException, OSError) as error:
            self._smtp.close()
            _count("unreachable", None)
            raise MailServerAway(type(error).__name__) from None
        if answer.code == _CLOSING:
            _count("throttled", answer)
            raise MailServerAway(coded(answer))
        return answer

    async def _again(self, answer: SMTPResponse) -> None:
        """Ready for another mail after one that was not begun."""
        _count("throttled" if answer.code // 100 == 4 else "refused", answer)
        await self._ask(b"RSET")


@asynccontextmanager
async def connected(server: MailServer, ca: Path | None) -> AsyncIterator[Connection]:
    """Signed in, and encrypted as `server` says, with a certificate of the authority in the file `ca`, or of
    this machine's. Raises MailServerAway, MailServerRefuses. A mail that the server waits for when this ends
    is not sent."""
    smtp = SMTP(
        hostname=server.host,
        port=server.port or PORTS[server.tls],
        use_tls=server.tls == "implicit",
        start_tls=server.tls == "starttls",
        tls_context=await asyncio.to_thread(_trusting, ca),
        username=server.username,
        password=server.password,
        timeout=COMMAND,
        local_hostname=await asyncio.to_thread(socket.getfqdn),
    )
    try:
        await smtp.connect()
        if smtp.is_ehlo_or_helo_needed:
            await smtp.ehlo()
    except SMTPAuthenticationError as error:
        smtp.close()
        _count("refused", None)
        # 454 is a server that cannot look now (RFC 4954 4.7.8).
        raise (MailServerAway if error.code // 100 == 4 else MailServerRefuses)(f"SMTP{error.code}") from None
    except (SMTPException, OSError, ValueError) as error:
        smtp.close()
        _count("unreachable", None)
        code = error.code if isinstance(error, SMTPResponseException) else type(error).__name__
        raise MailServerAway(str(code)) from None
    connection = Connection(smtp, server.sender)
    try:
        yield connection
    finally:
        if connection.waits:  # whatever is said to it now would be the mail
            smtp.close()
        if smtp.is_connected:
            try:
                await smtp.quit(timeout=5)
            except (SMTPException, OSError):
                smtp.close()


def coded(answer: SMTPResponse) -> str:
    """`SMTP550-5.1.1`: its number, and the one of RFC 3463 where it gives one."""
    enhanced = _ENHANCED.match(answer.message)
    return f"SMTP{answer.code}" + (f"-{enhanced[0]}" if enhanced else "")


def _refusal(answer: SMTPResponse) -> MailError:
    return (Later if answer.code // 100 == 4 else Refused)(coded(answer))


def _trusting(ca: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca) if ca else None)


def _count(outcome: str, answer: SMTPResponse | None) -> None:
    metrics.PROVIDER.labels("mail", outcome, str(answer.code) if answer else "none").inc()
