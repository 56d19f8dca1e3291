"""One simulator process for these tests; each test has a job of its own."""

from collections.abc import Iterator

import pytest

from devstack.solapi.client import Simulator
from tests.integration.solapi import SENDER, Api, running_simulator


@pytest.fixture(scope="package")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator(tmp_path_factory.mktemp("solapi")) as simulator:
        yield simulator


@pytest.fixture
def simulator(process: Simulator) -> Iterator[Simulator]:
    process.settings(senders=[SENDER], balance=1_000_000, spread=0, soon=0.05, late=3600)
    yield process
    process.clear_faults()
    process.webhook(None)


@pytest.fixture
def api(simulator: Simulator) -> Iterator[Api]:
    api = Api(simulator.url)
    yield api
    api.http.close()
