"""The job type of `examples/job_type.py`, in a process of its own, where the row is there before anything
reads the catalog.

`python -m tests.integration.toy_job_type TENANT` prints what API, queue and console made of it.
"""

import asyncio
import json
import sys
from uuid import uuid4

import httpx
from temporalio.worker import Worker

from clients import temporal
from clients.database.engine import create_engine
from clients.settings import load
from clients.vault import Vault
from examples.job_type import QUEUE, LetterActivities


async def main(tenant: int) -> None:
    from api.app import app, lifespan
    from api.console.translations import In
    from contracts.queues import parse
    from contracts.rights import EVERYTHING
    from tests.lab import create_key
    from workflows.generic import RunJob

    settings = load()
    engine = create_engine(settings, "toys")
    client = await temporal.connect(settings, engine)
    toys = LetterActivities(engine, Vault(settings.payload_keys.get_secret_value()))
    async with engine.begin() as connection:
        key = await create_key(connection, tenant, EVERYTHING)
    body = {"job_id": str(uuid4()), "job_type": "toy", "tenant_id": tenant, "payload": {"text": "가나다"}}
    transport = httpx.ASGITransport(app)
    async with (
        Worker(client, task_queue=QUEUE, workflows=[RunJob], activities=[toys.count]),
        lifespan(app),
        httpx.AsyncClient(transport=transport, base_url="http://api/api/v1") as http,
    ):
        http.headers["Authorization"] = f"Bearer {key}"
        refused = await http.post("/jobs", json={"job_type": "ai.toy", "payload": {}})
        made = await http.post("/jobs", json={"job_type": "ai.toy", "payload": {"text": "가나다라"}})
        made.raise_for_status()
        while (job := (await http.get(f"/jobs/{made.json()['job_id']}")).json())["finished_at"] is None:
            await asyncio.sleep(0.1)
    made_of_it = {
        "refused": refused.status_code,
        "job": [job["job_type"], job["status"], job["result"]],
        "queue": parse("ai-basic", json.dumps(body), "m1").job_type,
        "names": [In(lang)("job_type", "ai.toy") for lang in ("ko", "en")],
    }
    print(json.dumps(made_of_it))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
