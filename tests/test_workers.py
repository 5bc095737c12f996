"""The groups of tests for one worker of pytest-xdist: each costly service is started once per run."""

import os

import pytest

from local.processes import programs
from tests.faults.faults import ON_A_REAL_AIRFLOW, ON_THE_STUB
from tests.support.state import STATE_OF_TESTS
from tests.support.workers import GROUP, IS_SLOW, SERVICES, group_of


@pytest.mark.parametrize(
    ("fixtures", "parameters", "group"),
    [
        (["stack", "tmp_path"], {}, "stack"),
        (["real_airflow", "stack"], {"case": "late"}, "stack"),
        (["airflow2", "client"], {}, "airflow2"),
        (["airflow_with_passwords"], {"airflow_with_passwords": "fab"}, "airflow_with_passwords fab"),
        (["airflow_with_passwords"], {"airflow_with_passwords": "simple"}, "airflow_with_passwords simple"),
        (["azurite", "tmp_path"], {"stack": "a parameter's name"}, None),
        ([], {}, None),
    ],
)
def test_what_shares_a_costly_service_shares_a_worker(
    fixtures: list[str], parameters: dict[str, object], group: str | None
) -> None:
    """The group depends on the service and its settings."""
    assert group_of(fixtures, parameters) == group


def test_a_fault_is_where_its_airflow_is() -> None:
    """The faults on the Airflow of one database share a worker; those on the stub have no group."""
    assert {
        fault.name: group_of(["ground", "airflows"], {"fault": fault}) for fault in ON_A_REAL_AIRFLOW
    } == {fault.name: f"airflows {fault.database}" for fault in ON_A_REAL_AIRFLOW}
    assert {group_of(["ground"], {"fault": fault}) for fault in ON_THE_STUB} == {None}


def test_the_groups_of_this_run_are_set(request: pytest.FixtureRequest) -> None:
    """Each test with a costly service is in a group, and no other test is."""
    for item in request.session.items:
        fixtures = getattr(item, "fixturenames", [])
        assert (GROUP in item.stash) == bool(set(SERVICES) & set(fixtures)), item.nodeid


def test_a_host_is_not_of_the_quick_layer(request: pytest.FixtureRequest) -> None:
    """Each test that runs the app in a host has the mark `slow`."""
    for item in request.session.items:
        if not IS_SLOW.isdisjoint(getattr(item, "fixturenames", [])):
            assert item.get_closest_marker("slow"), item.nodeid


def test_the_quick_layer_starts_no_program() -> None:
    """A test that starts a program without the mark `slow` fails, and the message names the mark."""
    with pytest.raises(AssertionError, match="the mark `slow`"):
        programs.run(["true"])


def test_workers_share_no_state() -> None:
    """The state of a worker's services is in a folder with the worker's name."""
    assert STATE_OF_TESTS.name == os.environ.get("PYTEST_XDIST_WORKER", "single")
