"""The orders of steps that a workflow holds, whatever fails in between."""

from tests.defences import Defence

_STEPS, _ENCODE, _DELETE = "workflows/steps.py", "workflows/video/encode.py", "workflows/video/delete.py"
_STORIES, _OTHERS = "tests/workflows/test_stories.py", "tests/workflows/test_other_stories.py"
_APPROVAL = "tests/integration/test_messages_approval.py"
_SEND, _MESSAGES = "workflows/messaging/send.py", "tests/workflows/test_message_stories.py"

STORIES = (
    Defence(
        "message-that-was-never-prepared",
        "workflows/messaging/send.py",
        'tells = workflow.patched("unprepared-is-told")',
        "tells = False",
        "tests/workflows/test_message_stories.py::test_a_job_that_ended_before_it_was_prepared_is_told_too",
    ),
    Defence(
        "other-batches-stop-before-the-erase",
        _STEPS,
        "await shielded(workflow.wait(tasks))",
        "pass",
        f"{_STORIES}::test_a_failing_batch_stops_the_others[SOURCE_CHANGED]",
    ),
    Defence(
        "batches-in-their-order",
        _ENCODE,
        "number * APART if in_order",
        "APART if number and in_order",
        f"{_STORIES}::test_the_sound_comes_first_and_a_batch_of_long_units_is_one",
    ),
    Defence(
        "cancel-after-publication",
        _ENCODE,
        "return await steps.shielded(steps.run(video.PUBLISH, what))",
        "return await steps.run(video.PUBLISH, what)",
        f"{_STORIES}::test_a_cancel_after_publishing_began_is_too_late[video.publish]",
    ),
    Defence(
        "cancel-while-cleaning-up",
        _ENCODE,
        "return await steps.shielded(ending)",
        "return await ending",
        f"{_STORIES}::test_a_cancel_while_cleaning_up_changes_nothing[video.erase]",
    ),
    Defence(
        "cancel-unheard",
        _STEPS,
        "    if _cancel_asked():\n        raise asyncio.CancelledError\n",
        "",
        "tests/workflows/test_cancels.py::test_a_step_that_did_not_hear_of_it[video.probe-answers]",
    ),
    Defence(
        "cancel-that-the-cut-did-not-hear-of",
        "workflows/video/trim.py",
        "                steps.heed_cancel()\n",
        "",
        "tests/workflows/test_cancels.py::test_a_step_that_did_not_hear_of_it[video.cut-answers]",
    ),
    Defence(
        "cancel-then-failure",
        _STEPS,
        "if is_cancelled_exception(error) or not _cancel_asked():",
        "if error:",
        "tests/workflows/test_cancels.py::test_a_step_that_did_not_hear_of_it[video.probe-fails]",
    ),
    Defence(
        "encoder-changed",
        _ENCODE,
        "if not _encoder_changed(error):",
        "if error:",
        f"{_STORIES}::test_a_changed_encoder_starts_again",
    ),
    Defence(
        "encoder-keeps-changing",
        _ENCODE,
        'if changes == FORMER_ENCODER_CHANGES and not workflow.patched("encoders-may-change"):',
        "if changes == FORMER_ENCODER_CHANGES:",
        f"{_STORIES}::test_an_encoder_that_keeps_changing_fails_no_lecture",
    ),
    Defence(
        "lecture-without-pictures",
        _ENCODE,
        "if is_cancelled_exception(error):\n                raise\n            return None",
        "raise error",
        f"{_STORIES}::test_a_lecture_does_without_pictures[DECODE_FAILED]",
    ),
    Defence(
        "first-final-state-stands",
        _ENCODE,
        "standing = await steps.finish(job.job_id, outcome)",
        "await steps.finish(job.job_id, outcome)\n        standing = outcome",
        f"{_STORIES}::test_the_workflow_ends_as_the_database_says",
    ),
    Defence(
        "delete-waits-for-encodes",
        _DELETE,
        "await self._stop_encodes(deleted)",
        "pass",
        f"{_OTHERS}::test_delete_stops_every_encode_before_it_erases",
    ),
    Defence(
        "delete-looks-again",
        _DELETE,
        '"after": NO_WORKER_WRITES_AFTER',
        '"after": 0',
        f"{_OTHERS}::test_delete_stops_every_encode_before_it_erases",
    ),
    Defence(
        "replaced-version-stays",
        "workflows/video/retire.py",
        "await workflow.sleep(what.after)",
        "pass",
        f"{_OTHERS}::test_a_replaced_version_stays_for_its_time",
    ),
    Defence(
        "nobody-works-on-a-type",
        "workflows/generic.py",
        "schedule_to_start=WAIT_FOR_WORKER,",
        "",
        f"{_OTHERS}::test_a_generic_job_ends_when_nobody_works_on_it[WAIT_FOR_WORKER-ai.ocr-NO_WORKER]",
    ),
    Defence(
        "commit-without-approval",
        "activities/messaging/gate.py",
        "if job.approval is ApprovalState.WAITING:",
        "if False:",
        f"{_APPROVAL}::test_who_asked_does_not_approve_and_nothing_is_committed_before",
    ),
    Defence(
        "approved-by-who-asked",
        "clients/database/approvals.py",
        "if job.asked_by == caller:",
        "if False:",
        f"{_APPROVAL}::test_who_asked_does_not_approve_and_nothing_is_committed_before",
    ),
    Defence(
        "approved-too-late",
        "clients/database/approvals.py",
        "!= ApprovalState.WAITING or over:",
        "!= ApprovalState.WAITING:",
        f"{_APPROVAL}::test_too_late_to_approve[expired]",
    ),
    Defence(
        "work-before-an-approval",
        _SEND,
        "if prepared.needs_approval and not job.prepared:",
        "if False:",
        f"{_MESSAGES}::test_nothing_is_done_before_somebody_agrees",
    ),
    Defence(
        "ambiguous-add-is-thrown-away",
        _SEND,
        "or cause.type != ErrorType.AMBIGUOUS_ADD:",
        "or True:",
        f"{_MESSAGES}::test_what_cannot_be_sent_is_built_anew[ambiguous]",
    ),
    Defence(
        "committed-group-is-not-filled",
        _SEND,
        "if opened.committed:",
        "if False:",
        f"{_MESSAGES}::test_a_committed_group_is_sent_and_not_filled",
    ),
    Defence(
        "provider-gives-up-every-group",
        _SEND,
        'if workflow.patched("pause-when-given-up"):',
        "if False:",
        f"{_MESSAGES}::test_a_provider_that_gives_up_every_group_is_not_hurried",
    ),
    Defence(
        "cancel-after-sending",
        _SEND,
        "if stopped.sent:",
        "if False:",
        f"{_MESSAGES}::test_stopped_too_late_tells_what_was_sent",
    ),
)
