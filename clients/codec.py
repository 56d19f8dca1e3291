"""Payloads of messaging workflows are encrypted before they leave the process; others stay readable."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    DefaultFailureConverter,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from clients.keys import TenantKeys
from clients.vault import VaultError

ENCRYPTED = b"binary/encrypted"
PRIVATE = "messages-"
_PRIVATE_ID = re.compile(PRIVATE + r"t([1-9][0-9]{0,17})-")


class PlaintextRefused(VaultError):
    """A payload of a private workflow came unencrypted: nobody with our keys wrote it."""


def tenant_of(workflow_id: str) -> int | None:
    """The tenant whose key encrypts the payloads of a workflow, None for one that is not encrypted.

    `messages-t7-1b9d6bcd9c0f` → 7. Raises VaultError for `messages-` without a tenant.
    """
    if not workflow_id.startswith(PRIVATE):
        return None
    match = _PRIVATE_ID.match(workflow_id)
    if match is None:
        raise VaultError(f"a workflow ID that starts with {PRIVATE} must go on with t<tenant>-")
    return int(match[1])


def aad(namespace: str, workflow_id: str) -> bytes:
    """What a payload is bound to. A namespace holds no slash."""
    return f"{namespace}/{workflow_id}".encode()


class TenantCodec(PayloadCodec, WithSerializationContext):
    """Encrypts every payload of a private workflow with its tenant's key, bound to namespace and workflow.

    The SDK says through `with_context` whose payloads come next: the workflow itself, its activities, the
    target of a signal, a child. Without context, and for other workflows, nothing is encrypted.
    """

    def __init__(self, keys: TenantKeys, namespace: str = "", workflow_id: str = "") -> None:
        self._keys = keys
        self._namespace = namespace
        self._workflow_id = workflow_id

    def with_context(self, context: SerializationContext) -> Self:
        return type(self)(self._keys, *_place(context))

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Raises KeyDestroyed, VaultError, the database's errors."""
        tenant = tenant_of(self._workflow_id)
        if tenant is None or not payloads:
            return list(payloads)
        sealer = await self._keys.sealer(tenant)
        bound_to = aad(self._namespace, self._workflow_id)
        metadata = {
            "encoding": ENCRYPTED,
            "key-id": b"%d" % sealer.key_id,
            "workflow-id": self._workflow_id.encode(),  # for the codec endpoint, which is told no context
        }
        return [
            Payload(metadata=metadata, data=sealer.seal(each.SerializeToString(), bound_to))
            for each in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Raises PlaintextRefused, KeyDestroyed, VaultError for what is altered or of another workflow,
        and the database's errors."""
        tenant = tenant_of(self._workflow_id)
        encrypted = [is_encrypted(each) for each in payloads]
        if tenant is None:
            if any(encrypted):
                raise VaultError("an encrypted payload came to a workflow that is not encrypted")
            return list(payloads)
        if not all(encrypted):
            raise PlaintextRefused("a payload of an encrypted workflow is not encrypted")
        return [
            await open_payload(
                self._keys, each, tenant_id=tenant, namespace=self._namespace, workflow_id=self._workflow_id
            )
            for each in payloads
        ]


class TenantFailureConverter(DefaultFailureConverter, WithSerializationContext):
    """Moves message and stack trace of failures to where the codec encrypts them, except for workflows
    that are known not to be encrypted: their failures stay readable in the Web UI and the CLI."""

    def __init__(self, private: bool = True) -> None:
        super().__init__(encode_common_attributes=private)

    def with_context(self, context: SerializationContext) -> Self:
        return type(self)(_place(context)[1].startswith(PRIVATE))


def converter(keys: TenantKeys) -> DataConverter:
    """Pydantic models as JSON, encrypted where they are private."""
    return replace(
        pydantic_data_converter,
        payload_codec=TenantCodec(keys),
        failure_converter_class=TenantFailureConverter,
    )


def is_encrypted(payload: Payload) -> bool:
    return payload.metadata.get("encoding") == ENCRYPTED


async def open_payload(
    keys: TenantKeys, payload: Payload, *, tenant_id: int, namespace: str, workflow_id: str
) -> Payload:
    """The payload inside an encrypted one. Raises VaultError and the database's errors."""
    opener = await keys.opener(tenant_id)
    return Payload.FromString(opener.open(payload.data, aad(namespace, workflow_id)))


def _place(context: SerializationContext) -> tuple[str, str]:
    """Namespace and workflow ID, empty where there is no workflow."""
    if isinstance(context, WorkflowSerializationContext | ActivitySerializationContext):
        return context.namespace, context.workflow_id or ""
    return "", ""
