"""Authentication, and faults that hit exactly what they are ordered for."""

import json
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from devstack.solapi.client import Simulator
from tests.integration.solapi import ANA, GROUPS, Api, authorization, code


class TestAuthentication:
    @pytest.mark.parametrize(
        ("wrong", "expected"),
        [
            ({"form": ""}, (401, "Unauthorized")),
            ({"key": "OTHER"}, (403, "InvalidAPIKey")),
            ({"secret": "other"}, (403, "SignatureDoesNotMatch")),
            ({"late": 16 * 60}, (403, "RequestTimeTooSkewed")),
            ({"late": -16 * 60}, (403, "RequestTimeTooSkewed")),
            ({"form": "HMAC-SHA256 apiKey={key}, date=soon"}, (403, "RequestTimeTooSkewed")),
        ],
    )
    def test_refused(self, simulator: Simulator, wrong: dict[str, Any], expected: tuple[int, str]) -> None:
        headers = {"Authorization": authorization(**wrong)}
        assert code(httpx.get(f"{simulator.url}/cash/v1/balance", headers=headers)) == expected

    @pytest.mark.parametrize("late", [14 * 60, -14 * 60])
    def test_some_skew_is_allowed(self, simulator: Simulator, late: float) -> None:
        headers = {"Authorization": authorization(late=late)}
        assert httpx.get(f"{simulator.url}/cash/v1/balance", headers=headers).status_code == 200

    def test_names_in_any_case(self, simulator: Simulator) -> None:
        form = "hmac-sha256 APIKEY={key}, Date={date}, sAlT={salt}, Signature={signature}"
        headers = {"Authorization": authorization(form=form)}
        assert httpx.get(f"{simulator.url}/cash/v1/balance", headers=headers).status_code == 200

    def test_a_signature_is_good_once(self, simulator: Simulator) -> None:
        """Also when the first call ended in an error: every attempt is signed anew."""
        simulator.fault("balance", "503_before", times=1)
        headers = {"Authorization": authorization()}
        url = f"{simulator.url}/cash/v1/balance"
        assert httpx.get(url, headers=headers).status_code == 503
        assert code(httpx.get(url, headers=headers)) == (403, "DuplicatedSignature")

    def test_clock_of_the_simulator_does_not_matter(self, simulator: Simulator, api: Api) -> None:
        simulator.advance(3600)
        assert api.ask("GET", "/cash/v1/balance").status_code == 200


class TestFaults:
    def test_refused_before(self, simulator: Simulator, api: Api) -> None:
        group = api.group(ANA)
        busy = simulator.fault("send", "429", times=1, match=api.job, retry_after=7)
        down = simulator.fault("send", "503_before", times=1, match=api.job)
        answer = api.send(group)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
        assert api.send(group).status_code == 503
        assert simulator.ledger(api.job) == []
        assert (simulator.fired(busy), simulator.fired(down)) == (1, 1)
        assert api.send(group).status_code == 200
        statuses = [call["status"] for call in simulator.calls(api.job) if call["step"] == "send"]
        assert statuses == [429, 503, 200]

    def test_refused_after(self, simulator: Simulator, api: Api) -> None:
        group = api.group(ANA)
        fault = simulator.fault("send", "503_after", times=1, match=api.job)
        assert api.send(group).status_code == 503
        assert simulator.fired(fault) == 1
        assert len(simulator.ledger(api.job)) == 1
        assert code(api.send(group))[0] == 409

    @pytest.mark.parametrize(("kind", "sent"), [("reset_before", 0), ("reset_after", 1)])
    def test_reset(self, simulator: Simulator, api: Api, kind: str, sent: int) -> None:
        group = api.group(ANA)
        fault = simulator.fault("send", kind, times=1, match=api.job)
        with pytest.raises(httpx.ReadError):
            api.send(group)
        assert simulator.fired(fault) == 1
        assert len(simulator.ledger(api.job)) == sent
        assert api.send(group).status_code == (409 if sent else 200)

    def test_a_reset_is_a_tcp_reset(self, simulator: Simulator) -> None:
        """RST, not the end of the stream: a FIN would be read as b''."""
        simulator.fault("balance", "reset_after", times=1)
        host, port = simulator.url.removeprefix("http://").split(":")
        request = f"GET /cash/v1/balance HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization()}\r\n\r\n"
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(request.encode())
            with pytest.raises(ConnectionResetError):
                connection.recv(1)

    def test_slow(self, simulator: Simulator, api: Api) -> None:
        """It is done at once, and answered late: a caller that gives up does not know."""
        group = api.group(ANA)
        simulator.fault("send", "slow", times=1, match=api.job, seconds=30)
        api.http.timeout = httpx.Timeout(0.5)
        with pytest.raises(httpx.ReadTimeout):
            api.send(group)
        assert len(simulator.ledger(api.job)) == 1

    def test_truncated(self, simulator: Simulator, api: Api) -> None:
        group = api.group()
        simulator.fault("add", "truncated", times=1, match=api.job)
        answer = api.add(group, api.message(ANA))
        assert answer.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            answer.json()
        assert len(api.sent(group)) == 1

    def test_stale_reads(self, simulator: Simulator, api: Api) -> None:
        simulator.settings(soon=10)
        group = api.group(ANA)
        simulator.advance(100)
        api.send(group).raise_for_status()
        simulator.advance(100)
        path = f"{GROUPS}/{group}"
        for step in ("get", "messages", "list"):
            for seconds in (95, 150, 500):
                simulator.fault(step, "stale", times=1, match=api.job, seconds=seconds)
        assert [api.get(path)["status"] for _ in range(2)] == ["SENDING", "PENDING"]
        assert code(api.ask("GET", path)) == (404, "ResourceNotFound")
        assert api.get(path)["status"] == "COMPLETE"
        for where, query in ((f"{path}/messages", {}), ("/messages/v4/list", {"groupId": group})):
            lists = [api.get(where, **query)["messageList"].values() for _ in range(4)]
            codes = [[message["statusCode"] for message in each] for each in lists]
            assert codes == [["3000"], ["2000"], [], ["4000"]]

    def test_only_the_job_that_is_meant(self, simulator: Simulator, api: Api) -> None:
        other = Api(simulator.url)
        fault = simulator.fault("create", "503_before", match=api.job)
        other.group(ANA)
        assert simulator.fired(fault) == 0
        assert api.ask("POST", GROUPS, {"customFields": {"job": api.job}}).status_code == 503
        simulator.remove_fault(fault)
        api.group(ANA)

    def test_probability_repeats_with_its_seed(self, simulator: Simulator, api: Api) -> None:
        def run() -> list[int]:
            simulator.clear_faults()
            simulator.fault("balance", "503_before", probability=0.5, seed=11)
            return [api.ask("GET", "/cash/v1/balance").status_code for _ in range(20)]

        first = run()
        assert set(first) == {200, 503}
        assert run() == first

    def test_an_unknown_fault_is_refused(self, simulator: Simulator) -> None:
        with pytest.raises(httpx.HTTPStatusError):
            simulator.fault("send", "earthquake")


def test_real_time_is_utc(simulator: Simulator) -> None:
    here, before = datetime.now(UTC), datetime.fromisoformat(simulator.now())
    simulator.advance(10)
    passed = datetime.fromisoformat(simulator.now()) - before
    assert timedelta(seconds=10) <= passed < timedelta(seconds=20) + (datetime.now(UTC) - here)
    assert before.tzinfo == UTC
