"""The fault suite in its short form: no fault loses an event or starts two runs for it.

The tests do not judge the speed, because other programs on the machine change it.
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
    """Real Airflows that no other test uses."""
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
    """The same with a real Airflow that is down or overloaded."""
    verdict = fault.run(ground, airflows.on(fault.database), fault.short)
    keep(fault.name, verdict, short=True)
    assert verdict.kept, verdict
