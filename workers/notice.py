"""An instance that AWS takes away: its workers end in order, and the group is told when they have.

Asked is the instance's own metadata service (IMDSv2), every few seconds, for both ways to go: a state of its
Auto Scaling group (fewer instances, a refresh) and the notice of a spot instance, two minutes before.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress

import boto3
import httpx
from botocore.exceptions import BotoCoreError, ClientError

ADDRESS = "http://169.254.169.254"
EVERY = 5.0  # seconds, as AWS advises for spot notices
TOKEN_SECONDS = 300
log = logging.getLogger(__name__)

Complete = Callable[[str], None]


class Notice:
    """`await wait()` returns when the instance is to go; `done()` tells its group that it may.

    Args:
        hook: The group's termination hook.
        group: Its name.
    """

    def __init__(
        self, hook: str, group: str, region: str, address: str = ADDRESS, every: float = EVERY
    ) -> None:
        self._hook, self._group, self._every = hook, group, every
        self._autoscaling = boto3.client("autoscaling", region_name=region)
        self._http = httpx.AsyncClient(base_url=address, timeout=2, trust_env=False)
        self._by_group = False

    async def wait(self) -> None:
        """A metadata service that does not answer is no notice."""
        while True:
            with suppress(httpx.HTTPError, ValueError):
                if await self._goes():
                    return
            await asyncio.sleep(self._every)

    async def done(self) -> None:
        """Nobody needs to wait for us any longer. Where that cannot be told, the hook's own time ends."""
        try:
            instance = await self._ask("instance-id") if self._by_group else None
            if instance:
                await asyncio.to_thread(self._complete, instance)
        except (httpx.HTTPError, BotoCoreError, ClientError) as error:
            log.warning("the group is not told that this instance may go: %s", type(error).__name__)
        finally:
            await self._http.aclose()

    async def _goes(self) -> bool:
        if await self._ask("autoscaling/target-lifecycle-state") == "Terminated":
            log.info("the group takes this instance away")
            self._by_group = True
            return True
        spot = await self._ask("spot/instance-action")
        if spot and json.loads(spot).get("action") in ("terminate", "stop"):
            log.info("this spot instance is taken away")
            return True
        return False

    async def _ask(self, path: str) -> str | None:
        """None where there is nothing of the kind."""
        lasts = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
        token = (await self._http.put("/latest/api/token", headers=lasts)).raise_for_status().text
        answer = await self._http.get(
            f"/latest/meta-data/{path}", headers={"X-aws-ec2-metadata-token": token}
        )
        return None if answer.status_code == httpx.codes.NOT_FOUND else answer.raise_for_status().text.strip()

    def _complete(self, instance: str) -> None:
        self._autoscaling.complete_lifecycle_action(
            AutoScalingGroupName=self._group,
            LifecycleHookName=self._hook,
            InstanceId=instance,
            LifecycleActionResult="CONTINUE",
        )


async def until_noticed(notice: Notice, stop: asyncio.Event) -> None:
    """Sets `stop` as a signal would: no new task is taken, running ones get the workers' grace."""
    await notice.wait()
    stop.set()
