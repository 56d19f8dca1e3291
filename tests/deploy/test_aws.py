"""What CloudFormation would make: by cfn-lint's rules, and as far as moto makes it. No AWS was asked."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from cfnlint.api import lint_file
from cfnlint.config import ManualArgs
from cfnlint.decode.cfn_yaml import load
from moto import mock_aws

from clients.connections import ScalerPart
from clients.queues import RECEIVES
from clients.settings import Settings
from clients.settings_sources import SECRETS, Process, read
from tests.unit.test_settings import NEEDED

pytestmark = pytest.mark.slow

AWS = Path(__file__).parents[2] / "deploy/aws"
REGION, ACCOUNT = "ap-northeast-2", "123456789012"
# What moto cannot make; asserted below in other ways.
SKIPPED = {"AWS::CloudWatch::Alarm", "AWS::SQS::QueuePolicy"}
INTERFACES = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface")
SCALED = ("video", "ai", "messaging")
KINDS = ("api", "bridge", "ops", *SCALED)


@dataclass(frozen=True)
class Account:
    """An account after both templates, and what moto said that it did not make."""

    skipped: set[str]

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name=REGION)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with pytest.MonkeyPatch.context() as patch, mock_aws(), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "none")
        ec2 = boto3.client("ec2", REGION)
        subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        ours, redis = (
            ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
            for name in ("workers", "redis")
        )
        s3 = boto3.client("s3", REGION)
        s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="code", Key="scaler.zip", Body=b"PK\x05\x06" + bytes(18))
        shared = {"Subnets": ",".join(subnets), "SecurityGroup": ours}
        base = {
            **shared,
            "RedisSecurityGroup": redis,
            "DbHost": "db.example.com",
            "RedisHost": "redis.example.com",
            "TemporalAddress": "temporal.example.com:7233",
            "ObjectsUrl": "https://objects.example.com",
            "ScalerBucket": "code",
            "AlarmTopic": f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms",
        }
        create("base", base)
        for kind in KINDS:
            create(
                "group",
                {
                    **shared,
                    "Kind": kind,
                    "GroupName": group(kind),
                    "Image": "i/academy@sha256:0",
                    "BuildId": "1",
                },
                kind,
            )
        skipped = {name for each in said for name in re.findall(r"AWS::\w+::\w+", str(each.message))}
        yield Account(skipped)


def group(kind: str) -> str:
    return f"academy-{kind}-worker-asg"


def create(template: str, values: dict[str, str], stack: str | None = None) -> None:
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
    boto3.client("cloudformation", REGION).create_stack(
        StackName=stack or template,
        TemplateBody=(AWS / f"{template}.yaml").read_text(),
        Parameters=given,
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )


@pytest.mark.parametrize("template", ["base", "group"])
def test_the_linter_finds_nothing(template: str) -> None:
    found = lint_file(AWS / f"{template}.yaml", config=ManualArgs(regions=[REGION]))
    assert [str(each) for each in found] == []


def test_moto_skips_nothing_else(account: Account) -> None:
    assert account.skipped <= SKIPPED


def test_queues_are_those_of_the_settings(account: Account) -> None:
    sqs = account.client("sqs")
    settings = ScalerPart(temporal_address="none")
    visibility = {"video": 21600, "messaging": 60}
    for ours, name in settings.queue_names().items():
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        redrive = json.loads(found["RedrivePolicy"])
        assert redrive["deadLetterTargetArn"].endswith(f":{name}-dlq")
        assert int(redrive["maxReceiveCount"]) >= RECEIVES
        assert int(found["VisibilityTimeout"]) == visibility.get(ours, 3600)
        dead = sqs.get_queue_url(QueueName=f"{name}-dlq")["QueueUrl"]
        kept = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"]
        assert kept["MessageRetentionPeriod"] == "1209600" and kept["SqsManagedSseEnabled"] == "true"


@pytest.mark.parametrize("kind", KINDS)
def test_groups(account: Account, kind: str) -> None:
    (found,) = account.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[group(kind)]
    )["AutoScalingGroups"]
    assert (found["MinSize"], found["MaxSize"]) == (1, 10)
    assert found["NewInstancesProtectedFromScaleIn"] is (kind in SCALED)
    spread = found["MixedInstancesPolicy"]
    assert spread["InstancesDistribution"]["OnDemandBaseCapacity"] == 1
    assert len(spread["LaunchTemplate"]["Overrides"]) == 2
    template = spread["LaunchTemplate"]["LaunchTemplateSpecification"]["LaunchTemplateId"]
    (version,) = account.client("ec2").describe_launch_template_versions(LaunchTemplateId=template)[
        "LaunchTemplateVersions"
    ]
    data = version["LaunchTemplateData"]
    assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True


def statements(account: Account, role: str) -> dict[str, tuple[set[str], set[str], Any]]:
    """Sid → actions, resources, condition; without the account's part of an ARN."""
    iam, found = account.client("iam"), {}
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        document = ast.literal_eval(document) if isinstance(document, str) else document  # moto's own way
        for each in document["Statement"]:
            assert each["Effect"] == "Allow"
            actions, places = (as_set(each[key]) for key in ("Action", "Resource"))
            places = {place.replace("arn:aws:", "").replace(f":{REGION}:{ACCOUNT}:", ":") for place in places}
            assert each["Sid"] not in found
            found[each["Sid"]] = (actions, places, each.get("Condition"))
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    return found


def as_set(value: str | list[str]) -> set[str]:
    return {value} if isinstance(value, str) else set(value)


def auto(kind: str) -> str:
    return f"autoscaling:autoScalingGroup:*:autoScalingGroupName/{group(kind)}"


def reads(*paths: str) -> tuple[set[str], set[str], None]:
    return {"ssm:GetParametersByPath"}, {f"ssm:parameter/academy/{each}" for each in paths}, None


TAKES = ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility")


def sqs(*calls: str) -> set[str]:
    return {"sqs:GetQueueUrl", *(f"sqs:{each}" for each in calls)}


def queues() -> set[str]:
    """Those of the settings, and none of dead letters."""
    newer = {"tools_sqs_queue_name": "academy-v1-tools-queue"}
    newer |= {"video_delete_sqs_queue_name": "academy-video-delete-r2"}
    return {f"sqs:{each}" for each in ScalerPart(temporal_address="none", **newer).queue_names().values()}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_group_may(account: Account, kind: str) -> None:
    pull = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
    wanted: dict[str, Any] = {
        "SignInToImages": ({"ecr:GetAuthorizationToken"}, {"*"}, None),
        "PullTheImage": (pull, {"ecr:repository/academy-workflows"}, None),
        "Settings": reads("all", kind),
        "Log": ({"logs:CreateLogStream", "logs:PutLogEvents"}, {f"logs:log-group:/academy/{kind}:*"}, None),
    }
    if kind == "bridge":
        wanted["TakeOverMessages"] = (sqs(*TAKES, "GetQueueAttributes"), queues(), None)
        wanted["BuryPoison"] = (sqs("SendMessage"), {"sqs:academy-*-dlq"}, None)
    if kind == "api":
        wanted["LookAtDeadLetters"] = (sqs(*TAKES, "GetQueueAttributes"), {"sqs:academy-*-dlq"}, None)
        wanted["SendThemBack"] = (sqs("GetQueueAttributes", "SendMessage"), queues(), None)
    else:
        wanted["Leave"] = ({"autoscaling:CompleteLifecycleAction"}, {auto(kind)}, None)
    found = statements(account, f"academy-{kind}")
    found["Log"] = (found["Log"][0], {place.removesuffix(":*") + ":*" for place in found["Log"][1]}, None)
    assert found == wanted


def test_what_the_scaler_may(account: Account) -> None:
    groups = {auto(kind) for kind in SCALED}
    changes = ("SetDesiredCapacity", "SetInstanceProtection", "CreateOrUpdateTags")
    found = statements(account, "academy-scaler")
    assert found.pop("Log")[0] == {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert found == {
        "Look": ({"autoscaling:DescribeAutoScalingGroups"}, {"*"}, None),
        "Resize": ({f"autoscaling:{each}" for each in changes}, groups, None),
        "Tell": (
            {"cloudwatch:PutMetricData"},
            {"*"},
            {"StringEquals": {"cloudwatch:namespace": "Academy/Workers"}},
        ),
        "Depth": ({"sqs:GetQueueUrl", "sqs:GetQueueAttributes"}, {"sqs:academy-*"}, None),
        "Settings": reads("all", "scaler"),
        "Network": (
            {
                f"ec2:{verb}NetworkInterface{s}"
                for verb, s in (("Create", ""), ("Describe", "s"), ("Delete", ""))
            },
            {"*"},
            None,
        ),
    }


def test_redis_is_open_to_workers_alone(account: Account) -> None:
    (group,) = account.client("ec2").describe_security_groups(GroupNames=["redis"])["SecurityGroups"]
    (rule,) = group["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (6379, 6379, [])
    (workers,) = account.client("ec2").describe_security_groups(GroupNames=["workers"])["SecurityGroups"]
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [workers["GroupId"]]


def test_the_scaler_is_called_each_minute_with_settings_that_it_can_read(account: Account) -> None:
    rule = account.client("events").describe_rule(Name="academy-scaler")
    assert rule["ScheduleExpression"] == "rate(1 minute)"
    (target,) = account.client("events").list_targets_by_rule(Rule="academy-scaler")["Targets"]
    function = account.client("lambda").get_function(FunctionName="academy-scaler")["Configuration"]
    assert target["Arn"] == function["FunctionArn"] and function["Timeout"] < 60
    assert function["Handler"] == "workers.scaler.handler"
    environment = function["Environment"]["Variables"] | {"AWS_REGION": REGION}
    settings = read(ScalerPart, Process.SCALER, environment)
    assert {each.name for each in settings.scaler_groups} == {group(kind) for kind in SCALED}
    assert settings.temporal_address == "temporal.example.com:7233"


def template(name: str) -> dict[str, Any]:
    found: dict[str, Any] = load(str(AWS / f"{name}.yaml"))
    return found


def test_queues_take_nothing_in_the_clear() -> None:
    made = template("base")["Resources"]
    policy = made["OnlyEncrypted"]["Properties"]
    queues = {name for name, each in made.items() if each["Type"] == "AWS::SQS::Queue"}
    assert {each["Ref"] for each in policy["Queues"]} == queues and len(queues) == 10
    (only,) = policy["PolicyDocument"]["Statement"]
    assert (only["Effect"], only["Principal"], only["Condition"]) == (
        *("Deny", "*", {"Bool": {"aws:SecureTransport": "false"}}),
    )


def test_alarms_are_such_as_cloudwatch_takes(account: Account) -> None:
    """Moto makes none: botocore checks what would be sent."""
    alarms = {
        name: each["Properties"]
        for name, each in template("base")["Resources"].items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }
    cloudwatch = account.client("cloudwatch")
    with Stubber(cloudwatch) as aws:
        for name, alarm in alarms.items():
            arns = {"AlarmActions": [f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"]}
            plain = [
                {key: value if isinstance(value, str) else "a-queue" for key, value in dimension.items()}
                for dimension in alarm["Dimensions"]
            ]
            aws.add_response("put_metric_alarm", {})
            cloudwatch.put_metric_alarm(AlarmName=name, **(alarm | arns | {"Dimensions": plain}))
    dead = {
        alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0] for name, alarm in alarms.items() if "Dead" in name
    }
    queues = {
        name for name, each in template("base")["Resources"].items() if "dlq" in json.dumps(each, default=str)
    }
    assert dead == {name for name in queues if name.endswith("Dead")} and len(dead) == 5
    assert {name for name in alarms if name.endswith("ReadingFailed")} == {
        f"{kind.capitalize()}ReadingFailed" for kind in SCALED
    }


def user_data() -> str:
    data = template("group")["Resources"]["Template"]["Properties"]["LaunchTemplateData"]
    return str(data["UserData"]["Fn::Base64"]["Fn::Sub"])


def test_a_worker_has_ended_before_its_instance_goes() -> None:
    text = (AWS / "group.yaml").read_text()
    hook = int(re.findall(r"HeartbeatTimeout: (\d+)", text)[0])
    stop = int(re.findall(r"--stop-timeout (\d+)", user_data())[0])
    assert Settings.model_fields["shutdown_grace_seconds"].default < stop < hook


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_instance_starts(kind: str, tmp_path: Path) -> None:
    """The script runs, with programs that only say what they were asked."""
    values = {"Image": "r.example.com/academy@sha256:0", "Kind": kind, "Prefix": "academy", "BuildId": "7"}
    values |= {"GroupName": group(kind), "AWS::Region": REGION}
    script = re.sub(r"\$\{([\w:]+)\}", lambda found: values[found[1]], user_data())
    said = tmp_path / "said"
    for program in ("dnf", "systemctl", "install", "curl", "aws", "docker"):
        answer = "echo i-0123" if program == "curl" else "true"
        (tmp_path / program).write_text(f'#!/bin/sh\necho "{program} $*" >> {said}\n{answer}\n')
        (tmp_path / program).chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", script], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    runs = [line for line in said.read_text().splitlines() if line.startswith("docker run")]
    processes = [re.findall(r"--name (\w+)", run)[0] for run in runs]
    assert processes == [kind], "its role is its own: no other process may share the instance"
    for process, run in zip(processes, runs, strict=True):
        confined = (
            "--read-only",
            "--cap-drop ALL",
            "no-new-privileges",
            "--user 10001:10001",
            "--hostname i-0123",
        )
        assert all(each in run for each in confined)
        assert f"SETTINGS_SSM_PATHS=/academy/all,/academy/{process} " in run
        assert ("SANDBOX=require" in run) is (process in ("video", "ai"))
        assert (f"DRAIN_GROUP={group(kind)}" in run) is (kind != "api")
        port = "8000" if kind == "api" else "8090"
        assert f"--publish {port}:{port} " in run, "its metrics are read there"
        assert ("HEALTH_ADDRESS=0.0.0.0:8090" in run) is (kind != "api")
        command = "python -m api" if process == "api" else f"python -m workers {process}"
        assert f"academy@sha256:0 {command}" in run
        names = {name.lower() for name in re.findall(r"--env (\w+)=", run)}
        assert names - {"settings_ssm_paths"} <= Settings.model_fields.keys()


def test_secrets_go_to_those_who_may_know_them(account: Account, tmp_path: Path) -> None:
    text = "".join(f"{name}={value}\n" for name, value in NEEDED.items())
    text += f"# a comment\nSTAFF_JWT_KEY={'k' * 40}\nDB_PASSWORD_VIDEO=of video\nDB_PASSWORD_API=of the api\n"
    file = tmp_path / "env"
    file.write_text(text)
    uploaded(file)
    uploaded(file)  # again
    paths = {"SETTINGS_SSM_PATHS": "/academy/all,/academy/video", "DB_SSLROOTCERT": "system"}
    found = read(Settings, Process.VIDEO, paths)
    assert found.db_password.get_secret_value() == "of video" and found.staff_jwt_key is None
    ssm = account.client("ssm")
    for process in SECRETS:
        names = {
            each["Name"].rpartition("/")[2]
            for each in ssm.get_parameters_by_path(Path=f"/academy/{process}")["Parameters"]
        }
        assert {name.lower() for name in names} - {"scaler_groups"} <= SECRETS[process]
    for each in ssm.get_parameters_by_path(Path="/academy/all")["Parameters"]:
        assert each["Type"] == "String" and each["Value"] not in ("of-the-store", "of-the-database")


@pytest.mark.parametrize("line", ["NOT_A_SETTING=x", "no sign", "=value"])
def test_a_line_that_is_none_is_refused_without_its_value(tmp_path: Path, line: str) -> None:
    file = tmp_path / "env"
    file.write_text(f"DB_HOST=x\n{line}\n")
    with pytest.raises(SystemExit) as refused:
        uploaded(file)
    assert "=x" not in str(refused.value)


def uploaded(file: Path) -> None:
    spec = importlib.util.spec_from_file_location("put_settings", AWS / "settings.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["put_settings"] = module
    spec.loader.exec_module(module)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["settings.py", str(file)])
        module.main()
