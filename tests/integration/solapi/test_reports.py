"""Webhooks, and the page that shows what arrived."""

import hashlib
from datetime import datetime, timedelta
from itertools import accumulate

import httpx
import pytest
from solapi.model.webhook.single_report import SingleReportPayload

from devstack.solapi.client import Simulator
from tests.integration.solapi import (
    ANA,
    NO_KAKAO,
    NO_SMS,
    SILENT,
    Api,
    Receiver,
    until,
)


def all_told(counts: dict[str, int], reports: int, times: int = 1) -> dict[str, int] | None:
    """The webhook's counts, once each report was pushed `times` times or dropped."""
    return counts if counts["sent"] + times * counts["dropped"] == times * reports else None


class TestWebhooks:
    def test_flat(self, simulator: Simulator, api: Api) -> None:
        with Receiver() as receiver:
            simulator.webhook(receiver.url, secret="s3cret", shape="flat")
            api.send(api.group(ANA, NO_SMS, SILENT)).raise_for_status()
            items = until(lambda: len(receiver.items()) == 2 and receiver.items())
        assert {item["to"]: item["statusCode"] for item in items} == {ANA: "4000", NO_SMS: "3042"}
        assert items[0]["customFields"]["job"] == api.job
        headers = receiver.posts[0][0]
        assert headers["X-Solapi-Event-Name"] == "SINGLE-REPORT"
        assert headers["X-Solapi-Secret"] == hashlib.sha1(b"s3cret").hexdigest()

    def test_wrapped_as_the_sdk_reads_it(self, simulator: Simulator, api: Api) -> None:
        with Receiver() as receiver:
            simulator.webhook(receiver.url, shape="wrapped")
            api.send(api.group(ANA)).raise_for_status()
            items = until(receiver.items)
        (report,) = SingleReportPayload.model_validate(items).root
        assert (report.data.to, report.data.status_code, report.retry_count) == (ANA, "4000", 0)

    def test_called_again_until_it_is_taken(self, simulator: Simulator, api: Api) -> None:
        with Receiver(refuse=2) as receiver:
            simulator.webhook(receiver.url, retries=3, retry_seconds=0.02)
            api.send(api.group(ANA)).raise_for_status()
            until(lambda: simulator.webhook_counts()["sent"] == 1)
        assert [item["retryCount"] for item in receiver.items()] == [0, 1, 2]

    def test_given_up(self, simulator: Simulator, api: Api) -> None:
        with Receiver(refuse=9) as receiver:
            simulator.webhook(receiver.url, retries=1, retry_seconds=0)
            api.send(api.group(ANA)).raise_for_status()
            until(lambda: simulator.webhook_counts()["failed"] == 1)
        assert len(receiver.posts) == 2

    def test_repeated_and_dropped(self, simulator: Simulator, api: Api) -> None:
        recipients = [f"0105557{number:04d}" for number in range(60)]
        with Receiver() as receiver:
            simulator.webhook(receiver.url, batch=5, repeats=1, drop=0.3, seed=4)
            api.send(api.group(*recipients)).raise_for_status()
            counts = until(lambda: all_told(simulator.webhook_counts(), 60, times=2))
        got = [item["data"]["to"] for item in receiver.items()]
        assert 0 < counts["dropped"] < 60
        assert len(got) == counts["sent"] == 2 * len(set(got))

    @pytest.mark.parametrize("reorder", [False, True])
    def test_order_in_a_batch(self, simulator: Simulator, api: Api, reorder: bool) -> None:
        recipients = [f"0105557{number:04d}" for number in range(60)]
        with Receiver() as receiver:
            simulator.webhook(receiver.url, shape="flat", reorder=reorder)
            api.send(api.group(*recipients)).raise_for_status()
            until(lambda: all_told(simulator.webhook_counts(), 60))
        got = [item["to"] for item in receiver.items()]
        assert sorted(got) == recipients
        assert (got != recipients) == reorder

    def test_earlier_reports_after_later_ones(self, simulator: Simulator, api: Api) -> None:
        simulator.settings(spread=0.6)
        with Receiver() as receiver:
            simulator.webhook(receiver.url, shape="flat", batch=1, reorder=True)
            api.send(api.group(*[f"0105557{number:04d}" for number in range(40)])).raise_for_status()
            until(lambda: all_told(simulator.webhook_counts(), 40))
        moments = [datetime.fromisoformat(item["dateReported"]) for item in receiver.items()]
        assert max(latest - this for latest, this in zip(accumulate(moments, max), moments, strict=True)) > (
            timedelta(seconds=0.1)
        )

    def test_nobody_is_told_without_a_url(self, simulator: Simulator, api: Api) -> None:
        group = api.group(ANA)
        api.send(group).raise_for_status()
        api.completed(group)
        assert simulator.webhook_counts() == {"sent": 0, "failed": 0, "dropped": 0}


class TestPage:
    def test_shows_what_was_sent(self, simulator: Simulator, api: Api) -> None:
        simulator.template("TP1", "PF1", "#{이름} 학생 등원")
        options = {"pfId": "PF1", "templateId": "TP1", "variables": {"#{이름}": api.job}}
        group = api.group(ANA, NO_KAKAO, kakaoOptions=options, text=f"문자 {api.job}")
        api.send(group).raise_for_status()
        api.completed(group)
        page = simulator.page()
        for part in (
            f"{api.job} 학생 등원",
            f"문자 {api.job}",
            "010-5555-0001",
            "알림톡",
            "대체발송",
            "02-1234-5678",
        ):
            assert part in page

    def test_text_is_escaped(self, simulator: Simulator, api: Api) -> None:
        attack = f"<img src=x onerror=alert(1)>\"'&{api.job}"
        api.send(api.group(ANA, text=attack, subject="<b>제목</b>")).raise_for_status()
        page = simulator.page()
        assert f"&lt;img src=x onerror=alert(1)&gt;&quot;&#x27;&amp;{api.job}" in page
        assert "<img src=x" not in page
        assert "<b>제목" not in page

    def test_asks_nobody_else(self, simulator: Simulator) -> None:
        answer = httpx.get(simulator.url)
        assert "http://" not in answer.text
        assert "https://" not in answer.text
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
