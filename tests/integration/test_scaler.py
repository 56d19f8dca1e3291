"""Groups of workers get their size: from a real Temporal with workers at work, for groups that moto keeps."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from clients import fleet, temporal
from clients.autoscaling import QUIET, Groups
from clients.connections import ScalerPart
from clients.depths import Depths
from contracts.scaling import QUEUES, Group
from devstack.stack import Stack
from intake.scaling import Scaler
from tests.lab import Lab, eventually
from workers.scaler import look
from workers.slots import slots_with_room

GROUP = Group(
    kind="messaging", name="academy-messaging-worker-asg", slots=2, task_seconds=300, quiet_ticks=10
)
REGION = "ap-northeast-2"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, REGION)
    with mock_aws():
        ec2, autoscaling = boto3.client("ec2", REGION), boto3.client("autoscaling", REGION)
        image = ec2.describe_images()["Images"][0]["ImageId"]
        template = {"ImageId": image, "InstanceType": "c6i.large"}
        ec2.create_launch_template(LaunchTemplateName="worker", LaunchTemplateData=template)
        autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=GROUP.name,
            LaunchTemplate={"LaunchTemplateName": "worker"},
            MinSize=1,
            MaxSize=4,
            DesiredCapacity=3,
            NewInstancesProtectedFromScaleIn=True,
            AvailabilityZones=[f"{REGION}a"],
        )
        sqs = boto3.client("sqs", REGION)
        for name in ("academy-messaging-jobs", "academy-messaging-jobs-dlq"):
            sqs.create_queue(QueueName=name)
        for name in ("academy-messaging-jobs", "academy-messaging-jobs-dlq"):
            sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"], MessageBody="{}")
        yield autoscaling


def described(autoscaling: Any) -> dict[str, Any]:
    (group,) = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    found: dict[str, Any] = group
    return found


def ids(autoscaling: Any) -> list[str]:
    return [each["InstanceId"] for each in described(autoscaling)["Instances"]]


def figures() -> dict[str, float]:
    cloudwatch = boto3.client("cloudwatch", REGION)
    found = {}
    for metric in cloudwatch.list_metrics(Namespace="Academy/Workers")["Metrics"]:
        assert metric["Dimensions"] == [{"Name": "WorkerType", "Value": "messaging"}]
        points = cloudwatch.get_metric_statistics(
            Namespace="Academy/Workers",
            MetricName=metric["MetricName"],
            Dimensions=metric["Dimensions"],
            StartTime="2020-01-01",
            EndTime="2100-01-01",
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        found[metric["MetricName"]] = points[-1]["Maximum"]
    return found


class Told:
    """A scaler whose Temporal says what the test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting, self.busy, self.idle = 0, set[str](), set[str]()
        self.away = False
        monkeypatch.setattr(fleet, "waiting", self._waiting)
        monkeypatch.setattr(fleet, "working", self._working)
        settings = ScalerPart(temporal_address="none")
        self._scaler = Scaler(None, Groups(REGION, "Academy/Workers"), Depths(settings), 10)  # type: ignore[arg-type]

    async def _waiting(self, *_: object) -> fleet.Waiting:
        if self.away:
            raise RuntimeError("no connection")
        return fleet.Waiting(tasks=self.waiting, oldest=timedelta(seconds=7))

    async def _working(self, *_: object) -> fleet.Working:
        heard, used = frozenset(self.busy | self.idle), 2 * len(self.busy)
        return fleet.Working(used=used, free=0, heard=heard, busy=frozenset(self.busy))

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            await self._scaler.scale([Group(kind="ai", name="not-there", slots=1, task_seconds=1), GROUP])


@pytest.mark.slow
async def test_a_group_grows_and_shrinks_around_what_works(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    first, second, third = ids(aws)
    told.busy, told.idle, told.waiting = {first}, {second, third}, 1000
    await told.look()
    assert described(aws)["DesiredCapacity"] == 4  # and not 250: the group's own maximum
    assert figures() == {
        "QueueDepth": 1001,
        "DeadLetters": 1,
        "BacklogAge": 7,
        "SlotsUsed": 2,
        "WorkersHeard": 3,
        "Desired": 4,
        "ReadingFailed": 0,
    }
    told.waiting = 0
    (fourth,) = set(ids(aws)) - {first, second, third}  # starts, and nobody has heard of it
    await told.look(GROUP.quiet_ticks - 1)
    assert described(aws)["DesiredCapacity"] == 4
    assert {"Key": QUIET, "Value": "9"}.items() <= described(aws)["Tags"][0].items()
    await told.look()
    assert set(ids(aws)) == {first, fourth}, "the idle went, by AWS's choice among the unprotected"
    told.busy, told.idle = set(), {first, fourth}
    await told.look()
    assert described(aws)["DesiredCapacity"] == 1


async def test_a_reading_that_fails_changes_nothing(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    told.away = True
    await told.look(GROUP.quiet_ticks + 5)
    assert described(aws)["DesiredCapacity"] == 3
    assert figures()["ReadingFailed"] == 1 and "SlotsUsed" not in figures()


async def test_a_temporal_that_is_away_is_a_reading_that_fails(aws: Any) -> None:
    settings = ScalerPart(temporal_address="127.0.0.1:1", scaler_groups=(GROUP,))
    assert await look(settings) == {GROUP.name: 3}


@pytest.fixture
async def counted(stack: Stack, lab: Lab) -> AsyncIterator[Client]:
    """A client whose workers tell every second how they are."""
    part = stack.settings()
    yield await Client.connect(part.temporal_address, runtime=temporal.runtime(1.0))


@pytest.mark.slow
async def test_what_waits_and_what_works_is_told_by_temporal(counted: Client, lab: Lab) -> None:
    """Of a worker with slots of our own making, as those that encode have them."""
    queue, release = f"scaling-{uuid4().hex}", asyncio.Event()
    queues = f"{queue}-of-nobody", queue  # a kind may have several

    @activity.defn(name="held")
    async def held() -> None:
        await release.wait()

    worker = Worker(counted, task_queue=queue, activities=[held], tuner=slots_with_room(2, lambda: None))
    polling = asyncio.create_task(worker.run())
    limits = {"start_to_close_timeout": timedelta(minutes=10)}
    handles = [
        await lab.temporal.start_activity("held", id=f"{queue}-{n}", task_queue=queue, **limits)  # type: ignore[call-overload]
        for n in range(5)
    ]

    async def seen() -> bool:
        waits = await fleet.waiting(counted, queues)
        works = await fleet.working(counted, queues, timedelta(seconds=30))
        return waits.tasks == 3 and (works.used, works.free, len(works.busy)) == (2, 0, 1)

    await eventually(seen, "three wait and two are worked on")
    release.set()
    await asyncio.gather(*(each.result() for each in handles))

    async def idle() -> bool:
        works = await fleet.working(counted, queues, timedelta(seconds=30))
        return (await fleet.waiting(counted, queues)).tasks == works.used == 0 and len(works.heard) == 1

    await eventually(idle, "nothing waits, and one is heard")
    await worker.shutdown()
    await polling

    async def gone() -> bool:
        return not (await fleet.working(counted, queues, timedelta(seconds=30))).heard

    await eventually(gone, "who stopped is counted no more")


def test_kinds_are_those_of_queues_that_have_workers() -> None:
    assert set(QUEUES) == {"video", "ai", "messaging"}
