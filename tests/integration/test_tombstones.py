"""A backup does not bring an erased tenant back to life."""

import pytest

from clients.database import erasing
from clients.database.erasing import TenantErased
from clients.vault import Vault
from devstack.app import App
from intake.tombstones import Tombstones
from tests.integration.test_database import job_request
from tests.integration.test_keys import tenant_keys
from tests.lab import Lab, PatientSubmitter, eventually, fresh_id
from workers.after_restore import AfterRestore


async def test_a_lost_tombstone_is_written_again(app: App, lab: Lab) -> None:
    """By the reconciler, within its minute; and the command for after a restore tells it."""
    tenant, other = fresh_id(), fresh_id()
    tombstones = Tombstones(lab.engine, lab.objects)
    tombstones.carve(tenant)  # what is left of an erasure when Postgres is from before it
    lab.objects.put("erased-tenants/x", b"", "text/plain")
    assert await tombstones.lost() == {tenant}
    told = [each async for each in AfterRestore(lab.settings, lab.engine, lab.temporal, False)._erased()]
    assert [(each.kind, each.what) for each in told] == [("erased tenant", str(tenant))]
    assert await tombstones.lost() == {tenant}, "it was only told"
    await lab.temporal.get_schedule_handle("reconcile").trigger()

    async def buried() -> bool:
        async with lab.engine.connect() as connection:
            return (await erasing.tombstone(connection, tenant)).erased_at is not None

    await eventually(buried, "the reconciler wrote it")
    submitter = PatientSubmitter(
        lab.engine, lab.temporal, Vault(lab.settings.payload_keys.get_secret_value())
    )
    with pytest.raises(TenantErased):
        await submitter.submit(job_request(tenant))
    async with lab.engine.connect() as connection:
        assert (await erasing.tombstone(connection, other)).erased_at is None
    lab.objects.delete(f"erased-tenants/{tenant}")
    lab.objects.delete("erased-tenants/x")


async def test_who_may_begin_again_is_not_buried_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by a reconciler that looks later, nor by one that had looked before."""
    tenant = fresh_id()
    tombstones, keys = Tombstones(lab.engine, lab.objects), tenant_keys(lab)
    tombstones.carve(tenant)
    assert await tombstones.restore() == {tenant}
    lost = await tombstones.lost()
    await keys.renew(tenant, lab.objects)
    assert tenant not in await tombstones.restore()

    async def seen_before() -> set[int]:
        return lost | {tenant}

    monkeypatch.setattr(tombstones, "lost", seen_before)
    assert tenant not in await tombstones.restore()
    async with lab.engine.connect() as connection:
        assert (await erasing.tombstone(connection, tenant)).erasing_at is None
