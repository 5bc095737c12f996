"""Fixtures that the tests share: a real Azurite, a real Airflow and the whole stack, each started once.

They keep their state in `.updraft/tests`, apart from that of `make up`, so that both can run at once.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.airflow_process import Airflow
from local.azurite import Azurite
from local.certificates import Certificates, make_certificates
from local.identity_endpoint import IdentityEndpoint
from local.processes import Processes
from local.stack import STATE, Stack

STATE_OF_TESTS = STATE / "tests"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate authority of this session, and a server certificate for loopback."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    """What the session's programs are started with; at the end all of them are gone."""
    with Processes(STATE_OF_TESTS / "logs") as running:
        yield running


@pytest.fixture(scope="session")
def signing_identity() -> Iterator[IdentityEndpoint]:
    """A managed-identity endpoint whose tokens the session's Azurite accepts."""
    with IdentityEndpoint() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def azurite(processes: Processes, certificates: Certificates) -> Iterator[Azurite]:
    """A real Azurite over HTTPS, shared by the session: use names of your own for queues and containers."""
    running = Azurite(processes, certificates)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole stack of `make up`, on ports of its own; its Airflow is `real_airflow`."""
    with Stack(STATE_OF_TESTS / "stack", functions_port=0, airflow_port=0) as running:
        yield running


@pytest.fixture(scope="session")
def real_airflow(stack: Stack) -> Airflow:
    """The real Airflow of the stack: a second one would only take the cores from the first."""
    return stack.airflow


@pytest.fixture
def stack_environment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give this process the app's own settings, for code that reads them from the environment."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    return stack.folder
