"""Servers that are away, hang, were damaged or restored; our own processes killed beside them."""

from tests.defences import Defence

_BRIDGE, _LEASE, _SUBMIT = "workers/bridge.py", "workers/visibility.py", "intake/submit.py"
_KILLED, _ODD = "tests/faults/test_bridge.py", "tests/faults/test_odd_servers.py"
_RECONCILE, _RECONCILED = "intake/reconcile.py", "tests/integration/test_reconcile.py"
_RESTORED = "tests/faults/test_restored_messages.py"
_LETTERS = "tests/integration/test_dead_letters.py"

SERVERS = (
    Defence(
        "outage-is-told",
        "workers/running.py",
        '            HEALTH.hindered("temporal", f"namespace {client.namespace}: {error.status.name}")\n',
        "",
        "tests/unit/test_running.py::test_an_outage_is_told",
    ),
    Defence(
        "bridge-killed-before-it-accepts",
        _BRIDGE,
        "        errors = await self._accept(batch, [each for",
        "        await batch.lease.delete([each.message for each in batch.pending])\n"
        "        errors = await self._accept(batch, [each for",
        f"{_KILLED}::test_killed_while_it_handles_messages[before-accept]",
    ),
    Defence(
        "bridge-gets-sigterm",
        _LEASE,
        "await self._change_visibility(0 if error is None else AFTER_BUG)",
        "pass",
        f"{_KILLED}::test_sigterm_gives_the_messages_back_at_once",
    ),
    Defence(
        "wrong-namespace",
        "intake/errors.py",
        "RPCStatusCode.NOT_FOUND: ErrorKind.FATAL,",
        "RPCStatusCode.NOT_FOUND: ErrorKind.UNKNOWN,",
        "tests/unit/test_error_kinds.py::test_a_wrong_configuration_stops",
    ),
    Defence(
        "damaged-namespace",
        _SUBMIT,
        'return NamespaceDamaged("Temporal takes no start: compare the namespace with deploy/temporal")',
        "return StartRefused()",
        f"{_ODD}::test_a_damaged_namespace_is_not_the_requests_fault",
    ),
    Defence(
        "request-too-large-for-temporal",
        _SUBMIT,
        "if error.status is RPCStatusCode.RESOURCE_EXHAUSTED and too_large:",
        "if False:",
        f"{_ODD}::test_a_request_that_is_too_large_is_refused[for gRPC]",
    ),
    Defence(
        "refused-job-is-sent-back",
        "clients/database/accepting.py",
        "elif finished_at is None or await _reopened(connection, request, sealed):",
        "elif finished_at is None:",
        f"{_ODD}::test_a_job_that_was_refused_is_opened_again_when_its_letter_is_sent_back",
    ),
    Defence(
        "one-request-that-nobody-answers",
        "workers/breaker.py",
        "if self._worked_at >= turn.began:",
        "if False:",
        "tests/unit/test_breaker.py::test_one_that_nobody_answers_is_no_outage_while_others_are",
    ),
    Defence(
        "accepted-and-never-started",
        _RECONCILE,
        "await self._submitter.restart(row)",
        "pass",
        f"{_RECONCILED}::test_all_are_looked_at_in_one_run_the_oldest_first_and_a_few_at_a_time",
    ),
    Defence(
        "row-that-is-wrong",
        _RECONCILE,
        "except Exception as error:  # noqa: BLE001 - it is looked at again, and must not hide the others",
        "except ZeroDivisionError as error:",
        f"{_RECONCILED}::test_a_row_that_is_wrong_does_not_stop_the_others",
    ),
    Defence(
        "temporals-database-is-lost",
        "workers/schedules.py",
        "await make_schedules(client, {name: schedule})",
        "pass",
        "tests/integration/test_schedules.py::test_a_lost_schedule_is_made_again_and_a_paused_one_stays_paused",
    ),
    Defence(
        "schedule-that-fell-silent",
        "workers/schedules.py",
        "standing = await _late_in_list(client, name, ours, late)",
        "raise",
        "tests/faults/test_complaints.py::test_a_schedule_that_lost_its_timer_is_made_anew[True]",
    ),
    Defence(
        "dead-letter-queue-cannot-be-written",
        "workers/dead_letters.py",
        "while len(self._parked) >= ROOM or",
        "while False and len(self._parked) >= ROOM or",
        f"{_LETTERS}::test_letters_that_cannot_be_written_are_parked_in_bounded_number",
    ),
    Defence(
        "answer-to-a-delete-is-lost",
        "clients/queues.py",
        'if not entry["SenderFault"]]',
        "]",
        f"{_LETTERS}::test_a_message_that_is_deleted_already_is_not_deleted_for_ever",
    ),
    Defence(
        "message-without-its-stored-body",
        _BRIDGE,
        "if message.body_is_gone:",
        "if False:",
        f"{_LETTERS}::test_a_stored_body_that_is_gone_is_a_letter_that_says_so",
    ),
    Defence(
        "worker-is-cut-off",
        "activities/host/heartbeat.py",
        "beats.add_done_callback(lambda task: None if task.cancelled() else body.cancel())",
        "pass",
        "tests/faults/test_heart.py::test_a_worker_that_is_cut_off_stops_before_its_retry",
    ),
    Defence(
        "migration-beside-a-long-transaction",
        "migrations/env.py",
        "if not tries_left or not isinstance(error.orig, LockNotAvailable):",
        "if error:",
        "tests/integration/test_releases.py::test_nobody_waits_behind_a_migration_that_waits",
    ),
    Defence(
        "database-is-from-before-the-job",
        "workers/restoring.py",
        "await self._restorer.restore(activity.client(), workflow_id, missing.job_id)",
        "pass",
        f"{_RESTORED}::test_a_text_that_waits_for_its_reports[from before the job]",
    ),
    Defence(
        "database-is-from-before-a-reservation",
        "activities/messaging/sending.py",
        "if not sealed and await self._lacks_reservation(group):",
        "if False:",
        f"{_RESTORED}::test_a_lost_reservation_is_made_again",
    ),
    Defence(
        "refused-alimtalk-goes-as-text",
        "activities/messaging/sending.py",
        "if codes and await self._turn_to_text(sealer, group, codes):",
        "if False:",
        "tests/integration/test_messages.py::test_alimtalk_that_is_refused_when_it_is_registered_is_a_text",
    ),
    Defence(
        "committed-group-was-found-dead",
        "activities/messaging/sending.py",
        "return Decided(verdict=Verdict.DEAD)\n        if known.state != GroupState.COMMITTED:",
        "raise _unproven(str(known.state))\n        if known.state != GroupState.COMMITTED:",
        "tests/faults/test_messages_twice.py"
        "::test_a_committed_group_that_was_found_dead_is_built_anew[another execution]",
    ),
    Defence(
        "two-executions-of-one-job",
        "clients/database/messaging_groups.py",
        ".where(*_of(group), MessageGroup.group_id == group.group_id, MessageGroup.state == old)",
        ".where(*_of(group), MessageGroup.state == old)",
        "tests/faults/test_messages_twice.py::test_a_group_that_was_replaced_goes_nowhere",
    ),
    Defence(
        "upkeep-fills-the-list-of-jobs",
        "workers/schedules.py",
        "for old in [each async for each in found][KEPT:]:",
        "for old in [each async for each in found][:0]:",
        "tests/integration/test_schedules.py::test_runs_that_ended_well_do_not_fill_the_list_of_jobs",
    ),
    Defence(
        "paused-queue-is-passed-by",
        "workers/messaging.py",
        "        disable_eager_activity_execution=True,",
        "        disable_eager_activity_execution=False,",
        "tests/integration/test_paused.py::test_what_waits_on_a_paused_queue_is_done_when_it_is_resumed",
    ),
)
