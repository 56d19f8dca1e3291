"""Who comes in, what they may, and what is recorded of it."""

from tests.defences import Defence

_ACCESS, _ALL = "api/auth/access.py", "tests/api/test_access.py"
_STUDENTS = "tests/api/test_students.py"
_OIDC, _PROVIDER = "api/auth/oidc.py", "tests/api/test_oidc.py"

ACCESS = (
    Defence(
        "session-that-was-ended",
        "clients/database/staff_sessions.py",
        "        StaffSession.ended_at.is_(None),\n        StaffSession.ends_at > func.now(),",
        "        StaffSession.ends_at > func.now(),",
        "tests/api/test_sessions.py::test_a_cookie_dies_with_its_session",
    ),
    Defence(
        "leaving-ends-what-is-played",
        "clients/database/register.py",
        "    for table in (Enrolment, SessionEnrolment):",
        "    for table in (Enrolment,):",
        f"{_STUDENTS}::test_from_nothing_to_a_student_who_watches",
    ),
    Defence(
        "nobody-enrols-who-has-left",
        "clients/database/register.py",
        "Student.tenant_id == tenant_id, Student.left_at.is_(None))\n        .order_by",
        "Student.tenant_id == tenant_id)\n        .order_by",
        f"{_STUDENTS}::test_from_nothing_to_a_student_who_watches",
    ),
    Defence(
        "nobody-writes-to-who-has-left",
        "api/recipients.py",
        " if not each.left_at]",
        "]",
        f"{_STUDENTS}::test_a_class_is_told_at_the_phones_that_it_has",
    ),
    Defence(
        "student-who-is-known",
        "api/students.py",
        "    if alike is not None and alike != but:",
        "    if False:",
        f"{_STUDENTS}::test_a_student_is_read_as_rosters_are",
    ),
    Defence(
        "right-is-asked-for",
        _ACCESS,
        "if right not in who(request).rights:",
        "if False:",
        f"{_ALL}::test_without_its_right_nobody_does_it",
    ),
    Defence(
        "asks-again",
        _ACCESS,
        "    return time.time() - caller.authenticated_at <= longest",
        "    return time.time() - caller.authenticated_at <= longest * 1000",
        f"{_ALL}::test_money_and_many_people_ask_again",
    ),
    Defence(
        "no-answer-without-a-record",
        "api/middleware/audited.py",
        "                    raise NotRecorded from None",
        "                    failed = False",
        f"{_ALL}::test_without_a_record_there_is_no_answer",
    ),
    Defence(
        "no-command-without-a-record",
        "clients/operators.py",
        "            await record(BEGUN)\n",
        "            pass\n",
        "tests/integration/test_academy.py::test_without_a_record_nothing_is_done[DESTROY_KEY]",
    ),
    Defence(
        "credit-while-temporal-is-away",
        "api/accounts.py",
        "with suppress(RPCError, RuntimeError):",
        "with suppress(RPCError):",
        "tests/integration/test_academy.py::test_a_server_that_is_away_is_one_sentence",
    ),
    Defence(
        "rights-of-a-key",
        "api/auth/callers.py",
        'return Caller(f"key {prefix}", key.tenant_id, key.rights)',
        'return Caller(f"key {prefix}", key.tenant_id)',
        f"{_ALL}::test_without_its_right_nobody_does_it",
    ),
    Defence(
        "begin-again",
        "intake/tombstones.py",
        "if not await asyncio.to_thread(self._stands, tenant_id):",
        "if False:",
        "tests/integration/test_tombstones.py::test_who_may_begin_again_is_not_buried_again",
    ),
    Defence(
        "token-that-can-be-stored",
        "api/auth/people.py",
        "if not is_storable(text):",
        "if False:",
        "tests/hostile/test_pages.py::test_a_token_that_says_what_cannot_be[sub]",
    ),
    Defence(
        "pieces-of-a-result",
        "api/console/pieces.py",
        "if self._text[end : end + 1] in ENDS or not self._more():",
        "if True:",
        "tests/unit/test_pieces.py::test_pieces_are_those_of_the_whole[None-1]",
    ),
    Defence(
        "nonce-of-a-sign-in",
        _OIDC,
        'if not secrets.compare_digest(_bytes(claims.get("nonce")), asked["nonce"].encode()):',
        "if False:",
        f"{_PROVIDER}::test_what_does_not_lead_in",
    ),
    Defence(
        "state-of-a-sign-in",
        _OIDC,
        'if not secrets.compare_digest(asked["state"].encode(), state.encode()):',
        "if False:",
        f"{_PROVIDER}::test_an_answer_is_good_once_and_in_its_own_browser",
    ),
    Defence(
        "job-that-cannot-be-stored",
        "workers/refusing.py",
        "if not is_unstorable(error) or not may_end_its_job(activity.info().activity_type):",
        "if True:",
        "tests/integration/test_unstorable.py::test_a_message_ends_with_its_reason",
    ),
    Defence(
        "invitation-to-one-lecture",
        "api/auth/playback.py",
        "    if found.video != video_id:",
        "    if False:",
        "tests/viewing/test_invitations.py::test_an_invitation_is_for_one_student_one_lecture_and_its_days",
    ),
    Defence(
        "players-frame-is-named",
        "api/console/guard.py",
        """ " ".join(frames) or "'none'",""",
        """ " ".join(frames) or "*",""",
        "tests/api/test_console.py::test_a_students_player_is_framed_by_whom_the_operators_name",
    ),
)
