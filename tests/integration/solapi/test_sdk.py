"""The official SDK runs against the simulator unchanged."""

import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from solapi import SolapiMessageService
from solapi.error.MessageNotReceiveError import MessageNotReceivedError
from solapi.model import GetGroupsRequest, KakaoOption, RequestMessage, SendRequestConfig
from solapi.model.message_type import MessageType
from solapi.model.request.messages.get_messages import GetMessagesRequest

from devstack.solapi.client import Simulator
from tests.integration.solapi import ANA, BOM, KEY, NO_KAKAO, NO_SMS, OPTED_OUT, SECRET, SENDER, Api, until


@pytest.fixture
def sdk(simulator: Simulator) -> SolapiMessageService:
    service = SolapiMessageService(KEY, SECRET)
    service.base_url = simulator.url
    return service


def request_message(api: Api, to: str, **more: Any) -> RequestMessage:
    return RequestMessage(
        **({"from_": SENDER, "to": to, "text": "등원했습니다.", "custom_fields": {"job": api.job}} | more)
    )


def jpeg(size: int = 64) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((size, size), 100).convert("RGB").save(file, "JPEG", quality=95)
    return file.getvalue()


class TestOfficialSdk:
    def test_one(self, sdk: SolapiMessageService, api: Api, simulator: Simulator) -> None:
        answer = sdk.send(request_message(api, "010-5555-0001"))
        assert answer.group_info.count.registered_success == 1
        group = answer.group_info.group_id
        until(lambda: sdk.get_group(group).status == "COMPLETE")
        (message,) = sdk.get_group_messages(group).message_list.values()
        assert (message.to, message.status_code, message.type) == (ANA, "4000", MessageType.SMS)
        (entry,) = simulator.ledger(api.job)
        assert (entry["to"], entry["text"], entry["groupId"]) == (ANA, "등원했습니다.", group)

    def test_many_some_refused(self, sdk: SolapiMessageService, api: Api, simulator: Simulator) -> None:
        messages = [request_message(api, to) for to in (ANA, BOM, OPTED_OUT)]
        answer = sdk.send(messages, SendRequestConfig(show_message_list=True))
        assert [each.status_code for each in answer.failed_message_list] == ["1061"]
        assert [each.status_code for each in answer.message_list] == ["2000", "2000", "1061"]
        assert {entry["to"] for entry in simulator.ledger(api.job)} == {ANA, BOM}

    def test_all_refused(self, sdk: SolapiMessageService, api: Api, simulator: Simulator) -> None:
        with pytest.raises(MessageNotReceivedError) as caught:
            sdk.send([request_message(api, OPTED_OUT), request_message(api, ANA, from_="0299999999")])
        assert {each.status_code for each in caught.value.failed_messages} == {"1061", "1062"}
        assert simulator.ledger(api.job) == []

    def test_a_list_of_recipients(self, sdk: SolapiMessageService, api: Api, simulator: Simulator) -> None:
        sdk.send(request_message(api, [ANA, BOM]))  # type: ignore[arg-type]
        assert {entry["to"] for entry in simulator.ledger(api.job)} == {ANA, BOM}

    def test_alimtalk(self, sdk: SolapiMessageService, api: Api, simulator: Simulator) -> None:
        simulator.template("TP1", "PF1", "#{이름} 학생 등원")
        option = KakaoOption(pf_id="PF1", template_id="TP1", variables={"이름": "가온"})
        hard = KakaoOption(pf_id="PF1", template_id="TP1", variables={"이름": "가온"}, disable_sms=True)
        messages = [request_message(api, ANA, kakao_options=option)]
        messages += [request_message(api, NO_KAKAO, kakao_options=option, text="대신 문자")]
        messages += [request_message(api, "01040402002", kakao_options=hard)]
        messages += [request_message(api, NO_SMS, kakao_options=option)]
        group = sdk.send(messages).group_info.group_id
        until(lambda: sdk.get_group(group).status == "COMPLETE")
        count = sdk.get_group(group).count
        assert (count.sent_success, count.sent_replacement, count.sent_total) == (2, 2, 4)
        ended = {
            entry["to"]: (entry["type"], entry["text"], entry["statusCode"], entry["replacement"])
            for entry in simulator.ledger(api.job)
        }
        assert ended == {
            ANA: ("ATA", "가온 학생 등원", "4000", False),
            NO_KAKAO: ("SMS", "대신 문자", "4000", True),
            "01040402002": ("ATA", "가온 학생 등원", "3104", False),
            NO_SMS: ("SMS", "등원했습니다.", "3042", True),
        }

    def test_balance(self, sdk: SolapiMessageService, api: Api, simulator: Simulator) -> None:
        simulator.settings(soon=3600)  # no refund meanwhile
        before = sdk.get_balance().balance
        sdk.send([request_message(api, ANA), request_message(api, BOM, text="가" * 100)])
        assert before - sdk.get_balance().balance == 18 + 45

    def test_what_is_not_delivered_is_refunded(self, sdk: SolapiMessageService, api: Api) -> None:
        before = sdk.get_balance().balance
        group = sdk.send(request_message(api, NO_SMS)).group_info.group_id
        until(lambda: sdk.get_group(group).status == "COMPLETE")
        assert sdk.get_balance().balance == before
        assert sdk.get_group(group).balance.refund == 18

    def test_groups(self, sdk: SolapiMessageService, api: Api) -> None:
        ids = [sdk.send(request_message(api, ANA)).group_info.group_id for _ in range(3)]
        assert [*sdk.get_groups(GetGroupsRequest(limit=3)).group_list] == ids[::-1]
        assert [*sdk.get_groups(GetGroupsRequest(group_id=ids[1])).group_list] == [ids[1]]

    def test_messages(self, sdk: SolapiMessageService, api: Api) -> None:
        group = sdk.send([request_message(api, ANA), request_message(api, BOM)]).group_info.group_id
        until(lambda: sdk.get_group(group).status == "COMPLETE")

        def found(**query: Any) -> set[str]:
            answer = sdk.get_messages(GetMessagesRequest(group_id=group, **query))
            return {str(message.to) for message in answer.message_list.values()}

        assert found() == {ANA, BOM}
        assert found(to=BOM) == {BOM}
        assert found(status_code="3042") == set()
        assert found(from_="0299999999") == set()
        assert found(end_date="2020-01-01") == set()
        assert found(start_date="2020-01-01", date_type="UPDATED") == {ANA, BOM}

    def test_mms(self, sdk: SolapiMessageService, api: Api, simulator: Simulator, tmp_path: Path) -> None:
        image = tmp_path / "notice.jpg"
        image.write_bytes(jpeg())
        file_id = sdk.upload_file(str(image)).file_id
        sdk.send(request_message(api, ANA, image_id=file_id, subject="안내"))
        assert simulator.ledger(api.job)[0]["type"] == "MMS"
        shown = httpx.get(f"{simulator.url}/_simulator/files/{file_id}")
        assert shown.content == image.read_bytes()

    def test_mms_takes_small_jpeg_only(self, sdk: SolapiMessageService, tmp_path: Path) -> None:
        image = tmp_path / "image.jpg"
        Image.new("RGB", (8, 8)).save(image, "PNG")
        with pytest.raises(Exception, match="ValidationError"):
            sdk.upload_file(str(image))
        image.write_bytes(jpeg(900))
        assert image.stat().st_size > 200 * 1024
        with pytest.raises(Exception, match="ValidationError"):
            sdk.upload_file(str(image))

    def test_scheduled(self, sdk: SolapiMessageService, api: Api, simulator: Simulator) -> None:
        date = datetime.fromisoformat(simulator.now()) + timedelta(hours=2)
        config = SendRequestConfig(scheduled_date=date)
        kept, cancelled = (sdk.send(request_message(api, to), config).group_info for to in (ANA, BOM))
        assert kept.status == cancelled.status == "SCHEDULED"
        assert sdk.cancel_scheduled_message(cancelled.group_id).status == "PENDING"
        simulator.advance(2 * 3600 - 60)
        assert simulator.ledger(api.job) == []
        simulator.advance(120)
        assert [entry["to"] for entry in simulator.ledger(api.job)] == [ANA]
        assert sdk.get_group(kept.group_id).status == "COMPLETE"

    def test_what_it_does_when_an_answer_is_lost(
        self, sdk: SolapiMessageService, api: Api, simulator: Simulator
    ) -> None:
        """Why the SDK's one call is not used: it is accepted, and the caller cannot know."""
        fault = simulator.fault("send_many", "reset_after", times=1, match=api.job)
        with pytest.raises(httpx.TransportError):
            sdk.send(request_message(api, ANA))
        assert simulator.fired(fault) == 1
        assert len(simulator.ledger(api.job)) == 1

    def test_an_error_is_raised(self, simulator: Simulator) -> None:
        stranger = SolapiMessageService(KEY, "wrong")
        stranger.base_url = simulator.url
        with pytest.raises(Exception, match="SignatureDoesNotMatch"):
            stranger.get_balance()
