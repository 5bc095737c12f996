"""The fault suite in its short form: no event is lost and none starts two runs, whatever breaks."""

from collections.abc import Iterator

import pytest

from tests.faults.faults import ON_THE_STUB, Fault
from tests.faults.ground import Ground
from tests.faults.verdict import keep

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The stand-ins of all faults."""
    with Ground(tmp_path_factory.mktemp("faults")) as ground:
        yield ground


@pytest.mark.parametrize("fault", ON_THE_STUB, ids=lambda fault: fault.name)
def test_nothing_is_lost_and_nothing_starts_twice(ground: Ground, fault: Fault) -> None:
    """Every event that should have a run has exactly one, the ledger balances, and Airflow is alive."""
    verdict = fault.run(ground, fault.short)
    keep(fault.name, verdict, short=True)
    assert verdict.holds, verdict
