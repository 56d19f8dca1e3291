"""Requests that come twice, late or altered; executions that nobody waits for any more; credit."""

from tests.defences import Defence

_ACCEPT, _JOIN = "clients/database/accepting.py", "clients/database/joining.py"
_VIDEOS = "clients/database/videos.py"
_DATABASE, _JOINED = "tests/integration/test_database.py", "tests/integration/test_joined.py"
_CREDITS, _LEDGER = "clients/database/credits.py", "tests/integration/test_credits.py"

DATABASE = (
    Defence(
        "siblings-pay-once",
        "clients/database/credits.py",
        "AND r.final_at IS NULL AND r.merged_into IS NULL\n        RETURNING id)",
        "AND r.final_at IS NULL\n        RETURNING id)",
        "tests/integration/test_messages.py::test_siblings_are_told_in_one_message",
    ),
    Defence(
        "sibling-who-has-not-been-told",
        "clients/database/messaging_chunks.py",
        "    return known - {each.merged_into for each in recipients if each.position not in known}\n",
        "    return known\n",
        "tests/integration/test_messages.py::test_siblings_are_told_in_one_message",
    ),
    Defence(
        "same-message-many-times",
        _ACCEPT,
        "statement = insert(Job).on_conflict_do_nothing().returning(Job.id)",
        "statement = insert(Job).returning(Job.id)",
        f"{_DATABASE}::test_ten_who_bring_the_same_wish_at_once_make_one_job",
    ),
    Defence(
        "key-used-for-other-content",
        _ACCEPT,
        "if not vault.same_hash(request.payload_sha256, payload_sha256):",
        "if False:",
        f"{_DATABASE}::test_a_key_used_for_something_else_is_a_mismatch",
    ),
    Defence(
        "joined-request-is-remembered",
        _ACCEPT,
        "await joining.remember(connection, request, own_hash, other)",
        "pass",
        f"{_JOINED}::test_a_joined_request_is_remembered",
    ),
    Defence(
        "joined-request-wants-the-same",
        _ACCEPT,
        "if other.payload_sha256 and not vault.same_hash(",
        "if False and not vault.same_hash(",
        f"{_JOINED}::test_who_asks_for_something_else_does_not_join",
    ),
    Defence(
        "attempt-after-a-later-one",
        _JOIN,
        "            if later:\n",
        "            if False:\n",
        f"{_JOINED}::test_an_attempt_that_comes_after_a_later_one[done]",
    ),
    Defence(
        "second-final-state",
        "clients/database/jobs.py",
        "Job.id == job_id, Job.finished_at.is_(None))\n        .values(\n            state=outcome.state,",
        "Job.id == job_id)\n        .values(\n            state=outcome.state,",
        f"{_DATABASE}::test_the_first_final_state_wins_and_the_payload_goes",
    ),
    Defence(
        "zombie-publishes",
        _VIDEOS,
        "if newest_epoch > epoch or finished_at:",
        "if False:",
        f"{_DATABASE}::test_a_zombie_may_not_publish",
    ),
    Defence(
        "older-upload-publishes",
        _VIDEOS,
        "    if await _published_later(connection, video, accepted_at, seq):",
        "    if False:",
        f"{_DATABASE}::test_an_older_upload_may_not_replace_a_newer_one",
    ),
    Defence(
        "part-of-another-version",
        _VIDEOS,
        "if replacing is not None and video.hls_prefix != replacing:",
        "if False:",
        f"{_DATABASE}::test_a_part_is_shown_once_and_in_place_of_what_it_is_of",
    ),
    Defence(
        "part-that-moves-twice",
        "clients/database/trims.py",
        "    if done:\n        told = await",
        "    if False:\n        told = await",
        f"{_DATABASE}::test_a_part_is_shown_once_and_in_place_of_what_it_is_of",
    ),
    Defence(
        "captions-that-came-while-it-was-cut",
        "clients/database/trims.py",
        "if beside.keys() != part.captions_of:",
        "if False:",
        f"{_DATABASE}::test_a_part_is_shown_once_and_in_place_of_what_it_is_of",
    ),
    Defence(
        "deleted-video-is-published",
        _VIDEOS,
        "if video.deleted_at:\n        raise NotCurrent(VIDEO_DELETED)",
        "if False:\n        raise NotCurrent(VIDEO_DELETED)",
        f"{_DATABASE}::test_nothing_is_published_of_a_deleted_video",
    ),
    Defence(
        "answer-of-a-publication-is-lost",
        _VIDEOS,
        "if video.hls_prefix == version.hls_prefix:",
        "if False:",
        f"{_DATABASE}::test_publishing_replaces_and_may_be_repeated",
    ),
    Defence(
        "report-that-comes-after-the-end",
        _CREDITS,
        "            AND r.final_at IS NULL AND a.tenant_id = r.tenant_id",
        "            AND a.tenant_id = r.tenant_id",
        f"{_LEDGER}::test_the_first_end_of_a_person_stands",
    ),
    Defence(
        "many-spend-the-same-credit",
        _CREDITS,
        "if cost > locked.credit_balance:",
        "if False:",
        f"{_LEDGER}::test_many_at_once_on_a_small_balance",
    ),
    Defence(
        "database-goes-back-while-ends-are-counted",
        "activities/messaging/reporting.py",
        "if not counted.total and not await self._has_nobody(job):",
        "if False:",
        "tests/integration/test_messages_reports.py::test_nobody_is_not_everybody",
    ),
    Defence(
        "database-goes-back-before-the-last-step",
        "intake/ending.py",
        "                return known.keys() & WITHOUT_END",
        "                return False and known.keys() & WITHOUT_END",
        "tests/faults/test_restored_messages.py::test_a_backup_from_any_step_of_a_text_that_was_delivered[SENT]",
    ),
    Defence(
        "database-goes-back-before-the-last-step-of-captions",
        "intake/ending.py",
        "        case _:\n            return True",
        "        case _:\n            return False",
        "tests/integration/test_captions.py::test_captions_are_shown_replaced_and_taken_away",
    ),
)
