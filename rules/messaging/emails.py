"""Addresses of e-mails, and e-mails themselves. Pure."""

import re
import unicodedata
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import idna

from contracts.errors import EMAIL_NOT_VALID
from rules.messaging.unsendable import Unsendable

LONGEST, LONGEST_LOCAL = 254, 64  # RFC 5321 4.5.3.1
LONGEST_MASK = 20
# A dot-string of RFC 5321 4.1.2: quoted ones are no parent's, and letters beyond ASCII before the @ need a
# server that carries them (RFC 6531).
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")


def address(raw: str) -> str:
    """An address as a mail server takes it: the domain in lower case, and as ASCII where it has Korean
    letters (RFC 5891). Raises Unsendable(EMAIL_NOT_VALID)."""
    written = _INVISIBLE.sub("", unicodedata.normalize("NFKC", raw)).strip()
    local, at, domain = written.rpartition("@")
    try:
        ascii_domain = idna.encode(domain.casefold(), uts46=True).decode()
    except idna.IDNAError:
        raise Unsendable(EMAIL_NOT_VALID) from None
    found = f"{local}@{ascii_domain}"
    if not at or not _LOCAL.fullmatch(local) or len(local) > LONGEST_LOCAL or len(found) > LONGEST:
        raise Unsendable(EMAIL_NOT_VALID)
    if "." not in ascii_domain or ascii_domain.rpartition(".")[2].isdigit():
        raise Unsendable(EMAIL_NOT_VALID)
    return found


def mask(address: str) -> str:
    """`h***@n***.com`: what logs and lists may show."""
    local, _, domain = address.rpartition("@")
    name, _, last = domain.rpartition(".")
    return f"{local[:1]}***@{name[:1]}***.{last}"[:LONGEST_MASK]


def mail(
    *,
    to: str,
    sender: str,
    sender_name: str | None,
    subject: str,
    text: str,
    message_id: str,
    at: datetime,
) -> bytes:
    """A plain text in UTF-8 (RFC 5322, 2045, 2047), as it travels. `message_id` is the same whenever this
    mail is tried again, by which receivers can tell copies. Raises ValueError for a header with a line
    break."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(display_name=sender_name or "", addr_spec=sender)
    message["To"] = Address(addr_spec=to)
    message["Subject"] = subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{message_id}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence answers it
    message.set_content(text, charset="utf-8", cte="base64")
    return message.as_bytes()
