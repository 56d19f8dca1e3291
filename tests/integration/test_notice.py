"""An instance that goes: noticed by what the metadata service says, and told when its work has ended."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.stub import Stubber

from workers.notice import Notice, until_noticed

GOES = "/latest/meta-data/autoscaling/target-lifecycle-state"
SPOT = "/latest/meta-data/spot/instance-action"


class Metadata:
    """IMDSv2: nothing without a token; what is not set is not found."""

    def __init__(self) -> None:
        self.values = {"/latest/meta-data/instance-id": "i-1"}
        self.broken = False
        self.asked = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        method, path, _ = head.split(" ", 2)
        self.asked += 1
        status, body = "404 Not Found", ""
        if self.broken:
            status = "503 Service Unavailable"
        elif method == "put" and path == "/latest/api/token" and "ttl-seconds" in head:
            status, body = "200 OK", "secret-token"
        elif "x-aws-ec2-metadata-token: secret-token" not in head:
            status = "401 Unauthorized"
        elif path in self.values:
            status, body = "200 OK", self.values[path]
        writer.write(
            f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        await writer.drain()
        writer.close()


@pytest.fixture
async def metadata() -> AsyncIterator[tuple[Metadata, str]]:
    service = Metadata()
    async with await asyncio.start_server(service.serve, "127.0.0.1", 0) as server:
        yield service, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")


def made(address: str) -> Notice:
    return Notice("academy-drain", "academy-video-worker-asg", "ap-northeast-2", address, every=0.05)


CASES: list[tuple[dict[str, str], bool, bool]] = [
    ({GOES: "Terminated"}, True, True),
    ({SPOT: json.dumps({"action": "terminate", "time": "2026-11-28T12:00:00Z"})}, True, False),
    ({SPOT: json.dumps({"action": "stop", "time": "2026-11-28T12:00:00Z"})}, True, False),
    ({GOES: "InService"}, False, False),
    ({SPOT: "not json"}, False, False),
]


@pytest.mark.parametrize(("said", "goes", "told"), CASES)
async def test_what_is_said_ends_the_worker_and_the_group_hears_of_it(
    metadata: tuple[Metadata, str], credentials: None, said: dict[str, str], goes: bool, told: bool
) -> None:
    service, address = metadata
    notice, stop = made(address), asyncio.Event()
    watching = asyncio.create_task(until_noticed(notice, stop))
    service.broken = True
    await reached(service, 3)
    service.broken = False
    await reached(service, service.asked + 6)
    assert not stop.is_set(), "nothing was said yet"
    service.values |= said
    if goes:
        await asyncio.wait_for(stop.wait(), 60)
    else:
        await reached(service, service.asked + 12)
        assert not stop.is_set()
    watching.cancel()
    asked: dict[str, Any] = {"AutoScalingGroupName": "academy-video-worker-asg", "InstanceId": "i-1"}
    asked |= {"LifecycleHookName": "academy-drain", "LifecycleActionResult": "CONTINUE"}
    with Stubber(notice._autoscaling) as aws:
        if told:
            aws.add_response("complete_lifecycle_action", {}, asked)
        await notice.done()
        aws.assert_no_pending_responses()


async def test_a_group_that_cannot_be_told_keeps_nobody(
    metadata: tuple[Metadata, str], credentials: None
) -> None:
    service, address = metadata
    service.values[GOES] = "Terminated"
    notice = made(address)
    await notice.wait()
    with Stubber(notice._autoscaling) as aws:
        aws.add_client_error("complete_lifecycle_action", "ValidationError")
        await notice.done()


async def reached(service: Metadata, count: int) -> None:
    async with asyncio.timeout(60):
        while service.asked < count:
            await asyncio.sleep(0.01)
