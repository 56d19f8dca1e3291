"""E-mails: what makes each come once, or be told as unsure; and the way to their server."""

from tests.defences import Defence

_MAILING, _SMTP = "activities/messaging/mailing.py", "clients/smtp.py"
_MAILS = "tests/integration/test_mails.py"
_EMAILS = "tests/unit/test_emails.py"

MAILS = (
    Defence(
        "mail-begun-and-not-written",
        _MAILING,
        "if not await mails.begin(connection, group, position, began):",
        "if False:",
        f"{_MAILS}::test_while_a_mail_is_on_its_way",
    ),
    Defence(
        "mail-begun-is-sent-again",
        _MAILING,
        "        await self._end_begun(group)\n",
        "",
        f"{_MAILS}::test_a_try_that_nobody_knows_the_end_of",
    ),
    Defence(
        "mail-without-an-answer-is-sent-again",
        _SMTP,
        "raise Unsure(type(error).__name__) from None",
        "raise MailServerAway(type(error).__name__) from None",
        f"{_MAILS}::test_what_a_server_may_do[cut after data-end8-1]",
    ),
    Defence(
        "mail-of-another-database",
        _MAILING,
        "if known.lineage != lineage:",
        "if False:",
        f"{_MAILS}::test_a_database_that_went_back",
    ),
    Defence(
        "mail-of-a-database-from-before",
        "activities/messaging/mending.py",
        "return await self._adopt_mails(ref, known)",
        "return None",
        f"{_MAILS}::test_a_database_from_before[from when it was accepted]",
    ),
    Defence(
        "mail-that-is-put-off-ends",
        _SMTP,
        "return (Later if answer.code // 100 == 4 else Refused)(coded(answer))",
        "return Refused(coded(answer))",
        f"{_MAILS}::test_what_a_server_may_do[RCPT 450 4.2.0 greylisted-end0-1]",
    ),
    Defence(
        "mail-without-encryption",
        _SMTP,
        'start_tls=server.tls == "starttls",',
        "start_tls=False,",
        f"{_EMAILS}::test_a_server_that_does_not_encrypt_gets_nothing[starttls]",
    ),
    Defence(
        "mail-job-on-the-queue-of-texts",
        "workflows/messaging/send.py",
        "messages.by_mail(activity) if self._by_mail else activity",
        "activity",
        "tests/workflows/test_message_stories.py::test_steps_of_e_mails_are_of_their_own_queue[this release]",
    ),
    Defence(
        "mail-address-with-a-line-break",
        "rules/messaging/emails.py",
        "if not at or not _LOCAL.fullmatch(local) or",
        "if not at or",
        f"{_EMAILS}::test_what_is_no_address",
    ),
)
