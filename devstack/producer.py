"""What the existing producers do: put a file into the bucket, send their JSON to the queue."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config

from clients.settings import Settings


class Producer:
    """An existing Django service, seen from outside."""

    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.r2_bucket
        self.s3: Any = boto3.client(
            "s3",
            endpoint_url=settings.r2_endpoint_url,
            region_name="auto",
            aws_access_key_id=settings.r2_access_key_id,
            aws_secret_access_key=settings.r2_secret_access_key.get_secret_value(),
            config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
        )
        self._sqs: Any = boto3.client(
            "sqs",
            endpoint_url=settings.sqs_endpoint_url,
            region_name=settings.aws_region,
            aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "devstack"),
            aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "devstack"),
        )

    def upload(self, tenant_id: int, file: Path) -> str:
        """Store a source file as an upload does; returns its key."""
        key = f"tenants/{tenant_id}/video/raw/1/{uuid4()}{file.suffix}"
        self.s3.upload_file(str(file), self._bucket, key)
        return key

    def send(self, queue_name: str, body: dict[str, Any] | str, **attributes: Any) -> str:
        """Send a body as it is, with SQS's message attributes; returns the MessageId."""
        url = self._sqs.get_queue_url(QueueName=queue_name)["QueueUrl"]
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        sent = self._sqs.send_message(QueueUrl=url, MessageBody=text, MessageAttributes=attributes)
        answer: str = sent["MessageId"]
        return answer


def encode_body(tenant_id: int, video_id: int, file_key: str, **more: Any) -> dict[str, Any]:
    """The producer's encode message."""
    return {
        "video_id": video_id,
        "file_key": file_key,
        "tenant_id": tenant_id,
        "tenant_code": f"academy-{tenant_id}",
        "created_at": datetime.now(UTC).isoformat(),
        "attempt": 1,
    } | more


def delete_body(tenant_id: int, video_id: int, file_key: str) -> dict[str, Any]:
    """The producer's delete message."""
    return {
        "action": "delete_r2",
        "tenant_id": tenant_id,
        "video_id": video_id,
        "file_key": file_key,
        "hls_prefix": f"tenants/{tenant_id}/video/hls/{video_id}",
        "created_at": datetime.now(UTC).isoformat(),
    }


def message_body(tenant_id: int, to: str, text: str, **more: Any) -> dict[str, Any]:
    """The producer's message to one phone."""
    return {
        "tenant_id": tenant_id,
        "to": to,
        "text": text,
        "sender": None,
        "created_at": datetime.now(UTC).isoformat(),
        "message_mode": "sms",
    } | more


def ai_body(tenant_id: int, job_id: str, job_type: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The producer's message of an AI job."""
    return {
        "job_id": job_id,
        "job_type": job_type,
        "tier": "basic",
        "payload": payload,
        "tenant_id": str(tenant_id),
        "source_domain": "demo",
        "source_id": None,
        "created_at": datetime.now(UTC).isoformat(),
        "attempt": 1,
    }
