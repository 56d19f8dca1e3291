"""What staff press is done once, asked first, and offered where it can work."""

from tests.defences import Defence

_STATIC, _PAGES = "api/console/static", "tests/browser/test_pages.py"
_WRITTEN = "tests/browser/test_messages.py::test_a_message_is_counted_priced_and_sent"
_NOTED = "tests/browser/test_classes.py::test_attendance_is_set_by_keys_saved_once_and_written_over_nobodys"
_ROSTER = f"{_PAGES}::test_errors_of_a_roster_stand_in_their_cells_and_the_rest_is_stored"

CONSOLE = (
    Defence(
        "stored-text-known-by-its-words",
        "api/job_requests.py",
        "payload_sha256(asked, frozenset())",
        "payload_sha256(payload, frozenset())",
        "tests/unit/test_message_texts_kept.py"
        "::test_its_words_are_in_the_request_and_the_same_request_is_the_same",
    ),
    Defence(
        "console-key-until-answered",
        f"{_STATIC}/asking.js",
        "const { key } = JSON.parse(localStorage.getItem(place)) ?? { key: crypto.randomUUID() };",
        "const key = crypto.randomUUID();",
        _WRITTEN,
    ),
    Defence(
        "console-asks-first",
        f"{_STATIC}/compose.js",
        "if (!(await agreed(facts(answer), hold))) return;",
        "",
        _WRITTEN,
    ),
    Defence(
        "console-leaves-without-a-word",
        f"{_STATIC}/upload.js",
        "    busy--;\n    if (!result) return;\n    if (!busy) return",
        "    if (!result) return busy--;\n    if (busy === 1) return",
        _ROSTER,
    ),
    Defence(
        "console-upload-goes-on-where-it-was",
        f"{_STATIC}/upload.js",
        '  if (state === "completed") return upload;',
        "",
        _ROSTER,
    ),
    Defence(
        "console-player-waits-for-the-network",
        f"{_STATIC}/lecture.js",
        "problem.fatal && recover(problem)",
        'problem.fatal && fail("away")',
        f"{_PAGES}::test_a_lecture_is_uploaded_encoded_and_played",
    ),
    Defence(
        "attendance-over-what-was-seen",
        "api/routes/sessions.py",
        "        _require_seen(body.attendance, await classes.attendance(connection, tenant, session))\n",
        "",
        "tests/api/test_classes.py::test_two_teachers_do_not_write_over_each_other",
    ),
    Defence(
        "attendance-page-says-what-it-saw",
        f"{_STATIC}/session.js",
        "status, seen: row.dataset.seen || null }",
        "status }",
        _NOTED,
    ),
    Defence(
        "attendance-page-keeps-what-is-not-saved",
        f"{_STATIC}/session.js",
        "    choose(row, kept.way);\n",
        "",
        _NOTED,
    ),
    Defence(
        "console-offers-what-can-work",
        "api/console/queries.py",
        "await listings.retryable(connection, ended) if ended else set()",
        "set(ended)",
        "tests/api/test_console.py::test_buttons_are_offered_where_they_can_work",
    ),
    Defence(
        "file-names-are-sealed",
        "api/file_names.py",
        "return sealer.seal(name.encode(), _BOUND_TO + upload_id.bytes)",
        "return name.encode()",
        "tests/api/test_lists.py::test_a_list_says_what_a_file_was_called_to_its_own_academy_only",
    ),
    Defence(
        "console-no-bar-before-its-time",
        "api/console/queries.py",
        "if shown.final or shown.waits_for_approval or shown.is_scheduled:",
        "if shown.final:",
        "tests/api/test_lists.py::test_what_waits_for_its_time_is_not_running",
    ),
    Defence(
        "console-home-without-what-was-run-again",
        "clients/database/job_lists.py",
        "        yield ~was_retried()\n",
        "",
        "tests/api/test_lists.py::test_home_leaves_out_what_was_run_again",
    ),
    Defence(
        "letter-keeps-its-age",
        "clients/queues.py",
        "        if message.sent_back:",
        "        if False:",
        "tests/browser/test_letters.py::test_what_cannot_be_a_job_comes_back_and_is_not_sent_for_ever",
    ),
    Defence(
        "page-corrected-by-two",
        "api/documents.py",
        "    if _version(key) != version:",
        "    if False:",
        "tests/api/test_documents.py::test_nobody_corrects_over_somebody_else",
    ),
    Defence(
        "corrected-text-is-searched",
        "clients/database/documents.py",
        'await connection.execute(_FORGET, {"tenant": tenant_id, "job": job_id})',
        "pass",
        "tests/api/test_documents.py::test_a_corrected_page_is_in_the_text_and_in_the_search",
    ),
    Defence(
        "ops-queue-is-not-paused",
        "api/fleet.py",
        "PAUSABLE = frozenset(TaskQueue) - {TaskQueue.OPS}",
        "PAUSABLE = frozenset(TaskQueue)",
        "tests/api/test_operating.py::test_a_queue_is_paused_and_resumed",
    ),
)
