"""The worker dies at every point of an e-mail: each comes once, or is told as unsure and at most once."""

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from devstack.app import running
from tests.faults.killed_messaging import MAIL_POINTS
from tests.lab import PATIENCE, Lab
from tests.mails import PostOffice, academy, e_mail, people, to
from tests.messages import FAST, Mail, request

# Between what is written before a mail leaves and what is written of the server's answer; who dies with that
# transaction open has not written it.
UNSURE = {"before-take": 0, "after-take": 1, "before-settling": 1, "after-settling": 1}


@pytest.mark.slow  # test_a_try_that_nobody_knows_the_end_of is quick
async def test_kill_9_at_every_point_of_a_mail(lab: Lab, tmp_path: Path) -> None:
    mail, plan, jobs = Mail(lab), {}, {}
    with PostOffice() as office:
        for point in MAIL_POINTS:
            tenant, wanted = await academy(mail, office.settings()), people(3)
            job_request = request(tenant, e_mail(), wanted)
            plan[f"messages-t{tenant}-{job_request.job_id.hex[:12]}"] = point
            jobs[point] = job_request, wanted
        doomed = lab.stack.python(
            "doomed", "-m", "tests.faults.killed_messaging", "kill", str(tmp_path), json.dumps(plan),
            **FAST, DB_POOL_SIZE="40",
        )  # fmt: skip
        async with running(lab.stack, "ops"):
            doomed.start()
            await asyncio.gather(*(mail.submitter.submit(asked) for asked, _ in jobs.values()))
            assert await asyncio.to_thread(doomed.wait, PATIENCE) == -signal.SIGKILL
            async with running(lab.stack, "messaging", **FAST):
                for point, (asked, wanted) in jobs.items():
                    row = await mail.ended(asked.job_id)
                    assert row.state == "DONE", point
                    code = "MAIL_UNSURE" if point in UNSURE else None
                    ends = [("UNCONFIRMED", code), ("UNCONFIRMED", None), ("UNCONFIRMED", None)]
                    assert await mail.states(asked.job_id) == ends, point
                    got = Counter(each.rcpt_tos[0] for each in office.post.got)
                    first, *others = to(wanted)
                    assert got[first] == UNSURE.get(point, 1), point
                    assert [got[each] for each in others] == [1, 1], point
