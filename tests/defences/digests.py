"""Several notices in one text: what keeps each from being lost, doubled, late, or said though cancelled."""

from tests.defences import Defence

_DIGESTS = "tests/integration/test_digests.py"
_STORIES = "tests/workflows/test_message_stories.py"

DIGESTS = (
    Defence(
        "digest-says-what-was-cancelled",
        "activities/messaging/digesting.py",
        "return late or not await self._is_wanted(connection, group)",
        "return late",
        f"{_DIGESTS}::test_what_is_off_after_the_commit_is_taken_out[cancelled]",
    ),
    Defence(
        "digest-gathers-what-was-cancelled",
        "activities/messaging/digesting.py",
        "if each.ended or each.job_id in codes",
        "if each.ended",
        f"{_DIGESTS}::test_what_is_too_late_when_it_is_gathered_is_not_said",
    ),
    Defence(
        "digest-that-takes-no-more",
        "activities/messaging/joining.py",
        "if await digests.takes(connection, accepted.job_id, len(own)):",
        "if True:",
        f"{_DIGESTS}::test_who_comes_after_it_has_gathered_opens_a_window",
    ),
    Defence(
        "notice-that-cannot-wait",
        "rules/messaging/digests.py",
        "and (expires is None or expires >= closes + SENT_WITHIN)",
        "",
        "tests/unit/test_digests.py::test_what_is_too_late_then_or_for_too_many_does_not_wait",
    ),
    Defence(
        "digest-on-the-queue-of-texts",
        "workflows/messaging/digest.py",
        "messages.in_digest(activity)",
        "activity",
        f"{_STORIES}::test_a_digest_is_sent_when_nothing_more_joins",
    ),
    Defence(
        "notice-that-a-database-lost",
        "activities/messaging/mending.py",
        "return await self._may_have_gone(what, ref, ended)",
        "return None",
        "tests/faults/test_digests.py::test_the_database_goes_back[a notice]",
    ),
)
