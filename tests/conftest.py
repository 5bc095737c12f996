"""Shared fixtures: a real Azurite, real Airflows and the whole stack, each started once.

Their state is below `.updraft/tests`, separate from `make up`, so that both can run at the same time.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from local.processes.private import private_folder
from local.processes.processes import Processes
from local.servers.airflow_auth import SIMPLE, fab
from local.servers.airflow_process import Airflow, Edition
from local.servers.azurite import Azurite
from local.stack import AIRFLOW_CLIENT_ID, DAGS, Stack
from local.stand_ins.certificates import Certificates, make_certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from tests.support.paths import EXAMPLE_RULES
from tests.support.state import STATE_OF_TESTS

# All plugins are listed here: pytest gives the fixtures of a plugin to every test of the run, so each needs
# a unique name (tests/test_fixtures.py). A plugin follows those that it imports.
pytest_plugins = [
    "tests.support.workers",
    "tests.support.attacks",
    "tests.support.secret_watch",
    "tests.support.endpoints",
    "tests.support.storage",
    "tests.support.delivery",
    "tests.support.log_lines",
    "tests.support.http_app",
    "tests.support.callers",
    "tests.support.doctor",
]

AIRFLOW_EDITION: Final[Edition] = "next" if os.environ.get("AIRFLOW") == "next" else ""
"""The Airflow of the tests' stack; `make test-airflow-next` sets the variable."""
MORE_RULES = """
  - name: shop-ready
    when: {types: [Shop.Ready]}
    start: {dag: smoke_tests, conf: {site: "{{ data.site }}"}}
    track: callback

  - name: shop-nameless
    when: {types: [Shop.Nameless]}
    start: {dag: smoke_tests}
    track: callback

  - name: shop-no-token
    when: {types: [Shop.NoToken]}
    start: {dag: smoke_tests, conf: {site: "{{ data.site }}"}}
    track: callback
    callback: {token: none}

callers:
  - name: airflow-itself
    app_id: "%UPDRAFT_TEST_AIRFLOW_CLIENT_ID%"
    outcomes: ["*"]
"""
"""The tests' additional rules, after the example rules."""


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate authority for this session, and a server certificate for loopback."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    """Starts the session's programs, and stops them at the end."""
    with Processes(STATE_OF_TESTS / "logs") as running:
        yield running


@pytest.fixture(scope="session")
def signing_identity() -> Iterator[IdentityEndpoint]:
    """A managed-identity endpoint whose tokens the session's Azurite accepts."""
    with IdentityEndpoint() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def azurite(processes: Processes, certificates: Certificates) -> Iterator[Azurite]:
    """A real Azurite over HTTPS for the session: use your own names for queues and containers."""
    running = Azurite(processes, certificates)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole stack of `make up`, with other ports and rules; its Airflow is `real_airflow`."""
    rules = STATE_OF_TESTS / "rules.yaml"
    private_folder(rules.parent)
    rules.write_text(EXAMPLE_RULES.read_text(encoding="utf-8") + MORE_RULES, encoding="utf-8")
    settings = {"UPDRAFT_RULES": str(rules.resolve()), "UPDRAFT_TEST_AIRFLOW_CLIENT_ID": AIRFLOW_CLIENT_ID}
    with Stack(
        STATE_OF_TESTS / "stack",
        every_dag=True,
        own_dags=STATE_OF_TESTS / "own-dags",
        functions_port=0,
        airflow_port=0,
        airflow_edition=AIRFLOW_EDITION,
        settings=settings,
    ) as running:
        yield running


@pytest.fixture(scope="session")
def real_airflow(stack: Stack) -> Airflow:
    """The real Airflow of the stack, with the Entra auth manager; a second one would slow both."""
    return stack.airflow


@pytest.fixture(scope="session", params=["simple", "fab"])
def airflow_with_passwords(request: pytest.FixtureRequest) -> Iterator[Airflow]:
    """A real Airflow with each auth manager that has passwords: only its API server, on SQLite.

    It survives one request at a time, and its runs stay queued. `passwords` has the passwords of the
    logins `local.servers.airflow_auth.USER`, which may start runs of the examples' DAGs, and `ADMIN`.
    """
    kind = str(request.param)
    folder = STATE_OF_TESTS / kind
    with Processes(folder / "logs") as running:
        airflow = Airflow(
            running,
            folder,
            database="sqlite",
            auth=SIMPLE if kind == "simple" else fab(dags=DAGS),
            components=("api-server",),
        )
        airflow.start()
        yield airflow


@pytest.fixture
def stack_environment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set the app's settings in this process, for code that reads them from the environment."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    return stack.folder
