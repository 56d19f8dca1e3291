"""Which queues are read: tiers may share one, nothing else may."""

import pytest
from pydantic import ValidationError

from contracts.queues import QUEUES
from tests.integration.serving import bare_settings as settings

TIERS = ("ai_sqs_queue_name_lite", "ai_sqs_queue_name_basic", "ai_sqs_queue_name_premium")


def test_tiers_may_share_a_queue() -> None:
    names = settings(**dict.fromkeys(TIERS, "academy-ai-jobs")).queue_names()
    assert {ours for ours in names if ours.startswith("ai")} == {"ai"}
    names = settings(**dict.fromkeys(TIERS[:2], "academy-ai-jobs")).queue_names()
    assert {ours for ours in names if ours.startswith("ai")} == {"ai", "ai-premium"}
    assert names["ai"] == "academy-ai-jobs"


def test_further_queues_are_read_where_they_are_named() -> None:
    further = {"tools_sqs_queue_name": "t", "video_delete_sqs_queue_name": "d"}
    assert settings(**further).queue_names().keys() - settings().queue_names().keys() == {
        "tools",
        "video-delete",
    }
    assert settings(**further).queue_names().keys() <= QUEUES.keys()


def test_two_kinds_of_jobs_share_no_queue() -> None:
    with pytest.raises(ValidationError, match="only AI tiers may share one"):
        settings(messaging_sqs_queue_name="q", video_sqs_queue_name="q")


def test_job_types_of_others_are_listed() -> None:
    assert settings().external == frozenset()
    assert settings(external_job_types="exam_review, ppt_export,").external == {"exam_review", "ppt_export"}
    for listed, why in (("ocr", "implemented here"), ("Exam", "pattern"), ("a b", "pattern")):
        with pytest.raises(ValidationError, match=why):
            settings(external_job_types=listed)
