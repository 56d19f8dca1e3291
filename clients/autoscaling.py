"""EC2 Auto Scaling groups of workers, and their figures in CloudWatch. Every call blocks: use
`asyncio.to_thread`.

A worker's host name is its instance's id (`deploy/aws/`), so that a group knows which of its instances work.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

QUIET = "academy:quiet-ticks"  # a tag of the group: whoever decides next finds it there
_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "max_attempts": 3})


class NoGroup(Exception):
    """There is no group of this name."""


@dataclass(frozen=True, kw_only=True)
class GroupState:
    desired: int
    least: int
    most: int
    quiet: int
    in_service: frozenset[str]  # instance ids
    protected: frozenset[str]  # from going when there are less


class Groups:
    def __init__(self, region: str, namespace: str) -> None:
        self._autoscaling = boto3.client("autoscaling", region_name=region, config=_CONFIG)
        self._cloudwatch = boto3.client("cloudwatch", region_name=region, config=_CONFIG)
        self._namespace = namespace

    def state(self, name: str) -> GroupState:
        """Raises NoGroup, and what boto3 raises."""
        found = self._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        if not found["AutoScalingGroups"]:
            raise NoGroup(name)
        group = found["AutoScalingGroups"][0]
        quiet = next((tag["Value"] for tag in group.get("Tags", []) if tag["Key"] == QUIET), "0")
        working = [each for each in group["Instances"] if each["LifecycleState"] == "InService"]
        return GroupState(
            desired=group["DesiredCapacity"],
            least=max(1, group["MinSize"]),
            most=group["MaxSize"],
            quiet=int(quiet) if quiet.isdecimal() else 0,
            in_service=frozenset(each["InstanceId"] for each in working),
            protected=frozenset(each["InstanceId"] for each in working if each["ProtectedFromScaleIn"]),
        )

    def protect(self, name: str, instances: Collection[str], on: bool) -> None:
        ids = sorted(instances)
        for start in range(0, len(ids), 50):  # the most that one call takes
            self._autoscaling.set_instance_protection(
                AutoScalingGroupName=name,
                InstanceIds=ids[start : start + 50],
                ProtectedFromScaleIn=on,
            )

    def resize(self, name: str, desired: int) -> None:
        self._autoscaling.set_desired_capacity(
            AutoScalingGroupName=name, DesiredCapacity=desired, HonorCooldown=False
        )

    def remember(self, name: str, quiet: int) -> None:
        tag: dict[str, Any] = {"ResourceId": name, "ResourceType": "auto-scaling-group"}
        tag |= {"Key": QUIET, "Value": str(quiet), "PropagateAtLaunch": False}
        self._autoscaling.create_or_update_tags(Tags=[tag])

    def publish(self, kind: str, figures: Mapping[str, float]) -> None:
        """Under the dimension that the dashboards of before know."""
        dimensions = [{"Name": "WorkerType", "Value": kind}]
        self._cloudwatch.put_metric_data(
            Namespace=self._namespace,
            MetricData=[
                {"MetricName": name, "Dimensions": dimensions, "Value": value}
                for name, value in figures.items()
            ],
        )
