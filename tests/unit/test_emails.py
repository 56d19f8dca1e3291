"""Addresses, mails as they travel, and the way to a real mail server: encrypted, or not at all."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from clients.settings import Settings
from clients.smtp import MailServerAway, MailServerRefuses, connected
from contracts.catalog import CATALOG
from contracts.mail import MailServer
from contracts.names import TaskQueue
from rules.messaging import emails
from rules.messaging.unsendable import Unsendable
from tests.mails import PostOffice
from tests.tls import Authority
from tests.unit.test_settings import NEEDED

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=200)
AT = datetime(2026, 12, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "address"),
    [
        ("kim.haneul@example.com", "kim.haneul@example.com"),
        (" Kim@Example.COM\u200b", "Kim@example.com"),
        ("kim+academy@sub.example.co.kr", "kim+academy@sub.example.co.kr"),
        ("ｋｉｍ＠example.com", "kim@example.com"),
        ("kim@한글.kr", "kim@xn--bj0bj06e.kr"),
    ],
)
def test_an_address_as_it_is_sent(raw: str, address: str) -> None:
    assert emails.address(raw) == address
    assert len(emails.mask(address)) <= 20 and "kim" not in emails.mask(address).lower()


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "kim",
        "@example.com",
        "kim@",
        "kim@localhost",
        "kim@1.2.3.4",
        "kim@example..com",
        ".kim@example.com",
        "kim..h@example.com",
        "김하늘@example.com",
        '"kim h"@example.com',
        "kim@example.com, lee@example.com",
        "<kim@example.com>",
        "kim@example.com\r\nBcc: lee@example.com",
        "kim\x00@example.com",
        "kim@exam_ple.com",
        "k" * 65 + "@example.com",
        "kim@" + "a." * 130 + "com",
    ],
)
def test_what_is_no_address(raw: str) -> None:
    with pytest.raises(Unsendable) as refusal:
        emails.address(raw)
    assert refusal.value.code == "EMAIL_NOT_VALID" and refusal.value.detail == {}


@given(TEXTS, TEXTS, TEXTS)
def test_what_is_written_is_what_is_read(subject: str, text: str, name: str) -> None:
    """Whatever it is, it is one header, and one text in UTF-8."""
    subject, name = " ".join(subject.split()) or "x", " ".join(name.split()) or "x"
    mail = emails.mail(
        to="kim@example.com",
        sender="notice@example.com",
        sender_name=name,
        subject=subject,
        text=text,
        message_id="1.0@example.com",
        at=AT,
    )
    assert mail.isascii() and max(map(len, mail.split(b"\r\n"))) <= 998
    read = message_from_bytes(mail, policy=default)
    assert read.get_content().replace("\r\n", "\n").removesuffix("\n") == text.removesuffix("\n")
    assert " ".join(read["Subject"].split()) == subject
    assert read["To"].addresses[0].addr_spec == "kim@example.com"
    assert read["From"].addresses[0].addr_spec == "notice@example.com"
    assert set(read.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted",
        "Content-Type", "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip


@pytest.mark.parametrize("field", ["subject", "sender_name", "to"])
def test_a_line_break_makes_no_header(field: str) -> None:
    given = {"to": "kim@example.com", "sender_name": "x", "subject": "x"} | {
        field: "x\r\nBcc: lee@example.com"
    }
    with pytest.raises(ValueError, match=r"(?i)line|invalid|contain"):
        emails.mail(sender="notice@example.com", text="x", message_id="1@x", at=AT, **given)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@contextmanager
def encrypted(authority: Authority, *, implicit: bool, named: str = "127.0.0.1") -> Iterator[PostOffice]:
    signed = authority.sign("mail", named)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(signed.certificate, signed.key)
    with PostOffice(tls=context, implicit=implicit, password="right") as office:
        yield office


async def sends(server: MailServer, ca: Path | None, office: PostOffice) -> None:
    async with connected(server, ca) as connection:
        await connection.accepts("kim@example.com")
        await connection.take(b"Subject: x\r\n\r\n.one dot\r\n")
    (got,) = office.post.got
    assert got.content == b"Subject: x\r\n\r\n.one dot\r\n"


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_encrypted_by_a_certificate_that_is_good(authority: Authority, tls: str) -> None:
    with encrypted(authority, implicit=tls == "implicit") as office:
        server = office.settings(tls=tls, username="academy", password="right")
        await sends(server, authority.ca, office)
        with pytest.raises(MailServerAway):  # this machine knows no such authority
            await sends(server, None, office)
        with pytest.raises(MailServerRefuses, match="SMTP535"):
            await sends(server.model_copy(update={"password": "wrong"}), authority.ca, office)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_certificate_of_somebody_else(authority: Authority, tls: str) -> None:
    with encrypted(authority, implicit=tls == "implicit", named="127.0.0.9") as office:
        server = office.settings(tls=tls, username="academy", password="right")
        with pytest.raises(MailServerAway):
            await sends(server, authority.ca, office)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_server_that_does_not_encrypt_gets_nothing(tls: str) -> None:
    with PostOffice(password="right") as office:
        with pytest.raises(MailServerAway):
            await sends(office.settings(tls=tls, username="academy", password="right"), None, office)
        assert office.post.got == [] and office.said == []


async def test_a_mail_that_the_server_waits_for_is_not_sent_by_leaving() -> None:
    with PostOffice() as office:
        async with connected(office.settings(), None) as connection:
            await connection.accepts("kim@example.com")
        async with connected(office.settings(), None) as connection:
            await connection.accepts("lee@example.com")
            await connection.take(b"Subject: x\r\n\r\nx\r\n")
        assert [each.rcpt_tos for each in office.post.got] == [["lee@example.com"]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": "x"},
        {"username": "x", "password": "x", "tls": "none"},
        {"sender": "notice"},
        {"sender": "notice@example.com\r\nBcc: x@example.com"},
        {"sender_name": "a\r\nBcc: x@example.com"},
        {"host": "mail.example.com/x"},
    ],
)
def test_a_mail_server_that_is_not_whole(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refused:
        MailServer.model_validate({"host": "mail.example.com", "sender": "notice@example.com"} | wrong)
    assert "Bcc" not in str(refused.value)


def test_settings_of_the_platforms_server() -> None:
    values = {name.lower(): value for name, value in NEEDED.items()}
    assert Settings.model_validate(values).mail_server() is None
    told = {"smtp_host": "mail.example.com", "smtp_from": "notice@example.com"}
    server = Settings.model_validate(values | told).mail_server()
    assert server is not None and (server.tls, server.port, server.domain) == (
        "starttls",
        None,
        "example.com",
    )
    assert "secret" not in repr(server.model_copy(update={"username": "x", "password": "secret"}))
    for wrong in ({"smtp_from": None}, {"smtp_username": "x"}, {"smtp_host": "a b"}):
        with pytest.raises(ValidationError, match=r"SMTP_"):
            Settings.model_validate(values | told | wrong)


def test_e_mails_have_a_queue_that_no_release_before_looks_at() -> None:
    for name, payload in (
        ("messages.send", {"draft": {"mode": "email"}}),
        ("messaging.send", {"message_mode": "email"}),
    ):
        assert CATALOG[name].other_queue(payload) == TaskQueue.MAIL
    for name, payload in (("messages.send", {"draft": {}}), ("messaging.send", {"message_mode": "sms"})):
        assert CATALOG[name].other_queue(payload) is None
