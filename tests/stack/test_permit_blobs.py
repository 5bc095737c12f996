"""Permits as leases on real Storage, within one process and in several."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from local.processes import programs
from local.processes.programs import Program
from local.servers.azurite import Azurite
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.admission.permit_store import View
from shared.azure.storage_account import Storage
from tests.support.paths import ROOT
from tests.support.permit_blobs import PLACES, blobs


class TestOnAzurite:
    """The leases of Microsoft's emulator."""

    def test_a_permit_is_exclusive(self, storage: Storage, prefix: str) -> None:
        """A held permit is not given to another instance until it is released; the container is created."""
        one, two = blobs(storage, prefix), blobs(storage, prefix)
        lease = one.acquire(2)
        assert lease is not None
        assert two.acquire(2) is None
        assert two.look() == View(frozenset({0, 1, 3}))
        assert one.renew(2, lease)
        one.release(2, lease)
        assert not one.renew(2, lease)
        assert two.acquire(2) is not None

    def test_a_look_at_nothing(self, storage: Storage, prefix: str) -> None:
        """At first all permits are free."""
        assert blobs(storage, prefix).look() == View(frozenset(range(PLACES)))

    def test_a_lease_that_is_not_ours_is_neither_renewed_nor_released(
        self, storage: Storage, prefix: str
    ) -> None:
        """The id of an old lease has no effect when another instance holds the permit."""
        one, two = blobs(storage, prefix), blobs(storage, prefix)
        old = one.acquire(0) or ""
        one.release(0, old)
        lease = two.acquire(0) or ""
        assert not one.renew(0, old)
        one.release(0, old)
        assert two.renew(0, lease)
        assert not one.renew(1, old), "an unknown permit cannot be renewed"

    def test_the_line_is_by_arrival(self, storage: Storage, prefix: str) -> None:
        """The wait queue has the order of arrival; an entry that left or was removed is not in it."""
        first, second = blobs(storage, prefix), blobs(storage, prefix)
        first.join()
        time.sleep(1.1)  # Storage stores whole seconds
        second.join()
        assert (first.look().ahead, second.look().ahead) == (0, 1)
        assert (first.look().waiting, first.look().queued) == (1, True)
        second.drop_first()
        assert not first.look().queued
        assert second.look().ahead == 0
        second.leave()
        second.leave()
        second.look()
        second.drop_first()
        assert second.look() == View(frozenset(range(PLACES)))


class Instances:
    """Processes that are instances of one app, on one Azurite and one stub of Airflow."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._running: list[Program[str]] = []

    def start(self, count: int, *, events: int, **settings: str) -> list[Program[str]]:
        """Start a number of instances, each with a number of events."""
        command = [sys.executable, "-m", "tests.support.permit_instance", str(events)]
        started = [
            programs.start(
                command, cwd=ROOT, env=self._environment | settings, text=True, stdout=subprocess.PIPE
            )
            for _ in range(count)
        ]
        self._running += started
        return started

    def stop(self) -> None:
        """End the instances that still run."""
        for process in self._running:
            process.kill()
            process.communicate()


@pytest.fixture
def airflow() -> Iterator[AirflowStub]:
    """A slow stub of Airflow that counts its simultaneous requests."""
    with AirflowStub(any_dag=True) as stub:
        stub.latency = 0.02
        yield stub


@pytest.fixture
def instances(
    azurite: Azurite,
    certificates: Certificates,
    signing_identity: IdentityEndpoint,
    airflow: AirflowStub,
    prefix: str,
) -> Iterator[Instances]:
    """A factory of instances."""
    environment = {
        **signing_identity.environment(),
        **certificates.environment(),
        **azurite.environment(),
        "PATH": "/usr/bin:/bin",
        "AIRFLOW": airflow.url,
        "CONTAINER": prefix,
        "PLACES": str(PLACES),
    }
    running = Instances(environment)
    yield running
    running.stop()


def test_many_processes_keep_to_one_budget(
    instances: Instances, airflow: AirflowStub, storage: Storage, prefix: str
) -> None:
    """Six processes with eight threads each never have more requests in flight than there are permits."""
    processes = instances.start(6, events=30)
    reports = [json.loads(process.communicate(timeout=300)[0]) for process in processes]
    assert sum(report["sent"] for report in reports) == len(airflow.runs) == 6 * 30
    assert 1 <= airflow.peak <= PLACES
    assert blobs(storage, prefix).look().free == frozenset(range(PLACES)), "all permits are free"


def test_permits_of_the_killed_come_free(
    instances: Instances, airflow: AirflowStub, storage: Storage, prefix: str
) -> None:
    """The permits of a killed process are held until their leases end, and then available."""
    (victim,) = instances.start(1, events=100_000, LEASE="15")
    until = time.monotonic() + 180
    while len(airflow.runs) < 50 and time.monotonic() < until:
        time.sleep(0.1)
    store = blobs(storage, prefix)
    store.look()  # loading the Storage client may take as long as a lease on a busy machine
    victim.kill()
    victim.wait()
    held = frozenset(range(PLACES)) - store.look().free
    assert held
    until = time.monotonic() + 90
    while store.look().free != frozenset(range(PLACES)) and time.monotonic() < until:
        time.sleep(0.1)
    assert all(store.acquire(index) for index in held)
    assert airflow.peak <= PLACES
