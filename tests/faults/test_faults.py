"""The fault suite in its short form: no event is lost and none starts two runs, whatever breaks.

It judges the promises and not the speed, which a machine that does something else as well would decide.
"""

from collections.abc import Iterator

import pytest

from tests.faults.faults import ON_A_REAL_AIRFLOW, ON_THE_STUB, Fault, RealFault
from tests.faults.ground import Ground
from tests.faults.real import RealAirflows
from tests.faults.verdict import keep


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The stand-ins of all faults."""
    with Ground(tmp_path_factory.mktemp("faults")) as ground:
        yield ground


@pytest.fixture(scope="module")
def airflows(ground: Ground) -> Iterator[RealAirflows]:
    """Real Airflows that nobody else uses."""
    with RealAirflows(ground) as airflows:
        yield airflows


@pytest.mark.parametrize("fault", ON_THE_STUB, ids=lambda fault: fault.name)
def test_nothing_is_lost_and_nothing_starts_twice(ground: Ground, fault: Fault) -> None:
    """Every event that should have a run has exactly one, the counts balance, and Airflow is alive."""
    verdict = fault.run(ground, fault.short)
    keep(fault.name, verdict, short=True)
    assert verdict.kept, verdict


@pytest.mark.parametrize("fault", ON_A_REAL_AIRFLOW, ids=lambda fault: fault.name)
def test_the_same_on_a_real_airflow(ground: Ground, airflows: RealAirflows, fault: RealFault) -> None:
    """The same, where what breaks is Airflow or what it can bear."""
    verdict = fault.run(ground, airflows.on(fault.database), fault.short)
    keep(fault.name, verdict, short=True)
    assert verdict.kept, verdict
