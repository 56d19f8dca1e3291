"""What each job costs, what so many academies need, and a load that shows what this machine bears."""

import os
from dataclasses import asdict

from bench import offered
from bench.capacity_costs import measure, metrics_of_store
from bench.capacity_model import ACADEMIES, needs, show
from devstack.app import EVERYTHING, running
from tests.lab import Lab, unused_port


async def run(lab: Lab) -> dict[str, object]:
    load = os.getloadavg()[0]
    metrics, pool = metrics_of_store(lab, unused_port()), lab.settings.db_pool_size
    async with running(lab.stack, *EVERYTHING) as app:
        costs, idle = await measure(lab, app, metrics)
        show(costs, idle, pool)
        rounds = await offered.rounds(lab)
    each = {
        work: {name: round(value, 4) for name, value in asdict(cost).items()} for work, cost in costs.items()
    }
    return {
        "load": load,
        "each": each,
        "needs": {str(count): asdict(needs(count, costs, pool)) for count in ACADEMIES},
        "rounds": [found.told() for found in rounds],
        "ratio": None,
        "unit": "as named",
    }
