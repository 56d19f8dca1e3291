"""How servers are reached, who knows what, and how many workers there are."""

from tests.defences import Defence

_SCALING, _SCALED = "rules/scaling.py", "tests/unit/test_scaling.py"
_SETTINGS = "tests/unit/test_settings.py"

DEPLOY = (
    Defence(
        "demoted-primary-is-left",
        "clients/database/engine.py",
        "context.is_disconnect = True",
        "pass",
        "tests/integration/test_connections.py::test_a_primary_that_takes_no_writes_any_more_is_left",
    ),
    Defence(
        "secrets-of-others-are-not-read",
        "clients/settings_sources.py",
        " - (SECRETS[Process.OPERATOR] - SECRETS[process])",
        " & part.model_fields.keys()",
        f"{_SETTINGS}::test_a_process_knows_no_secret_of_others",
    ),
    Defence(
        "unencrypted-key-of-temporal",
        "clients/connections.py",
        "if self.temporal_api_key and not self.temporal_tls:",
        "if False:",
        f"{_SETTINGS}::test_half_a_way_is_none",
    ),
    Defence(
        "busy-instances-stay",
        _SCALING,
        "min(reading.desired, reading.busy + unheard)",
        "0",
        f"{_SCALED}::test_in_not_below_what_works_or_may_work",
    ),
    Defence(
        "nothing-read-nothing-changed",
        _SCALING,
        "return Decision(desired=now, quiet=quiet)",
        "return Decision(desired=policy.least, quiet=quiet)",
        f"{_SCALED}::test_nothing_read_changes_nothing",
    ),
    Defence(
        "ghosts-are-not-counted",
        "clients/fleet.py",
        "if now - each.heartbeat_time.ToDatetime(UTC) <= silent",
        "if now",
        f"{_SCALED}::test_who_stopped_or_died_is_a_ghost",
    ),
    Defence(
        "work-in-hand-on-another-queue",
        "contracts/scaling.py",
        "(TaskQueue.MESSAGING, TaskQueue.MAIL, TaskQueue.DIGEST)",
        "(TaskQueue.MESSAGING,)",
        "tests/unit/test_activities.py::test_whoever_has_work_in_hand_is_seen_by_the_scaler",
    ),
)
