import sys

import pytest

from local.processes import programs
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow
HEAVY = (
    "airflow_client",
    "azure.core",
    "azure.eventgrid",
    "azure.identity",
    "azure.keyvault",
    "azure.storage",
    "jinja2",
    "jwt",
    "msal",
    "requests",
    "rich",
    "urllib3",
)


def loaded_by(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after a statement."""
    code = f"{statement}; import sys; print(chr(10).join(sys.modules))"
    done = programs.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=True)
    return set(done.stdout.split())


def heavy(modules: set[str]) -> set[str]:
    """Return the modules that slow the cold start, or are not in the deployed app."""
    return {name for name in modules if name in HEAVY or name.startswith(tuple(f"{lib}." for lib in HEAVY))}


@pytest.fixture(scope="module")
def indexed() -> set[str]:
    """The modules that indexing the app loads and the worker has not loaded before."""
    return loaded_by("import function_app") - loaded_by("import azure.functions")


def test_indexing_the_app_loads_no_client(indexed: set[str]) -> None:
    """Indexing the app imports no client, template engine or TLS stack."""
    assert not heavy(indexed)


def test_the_app_depends_on_nothing_that_stays_at_home(indexed: set[str]) -> None:
    """Deployed code imports only deployed code."""
    assert not {name for name in indexed if name.split(".")[0] in {"bench", "cli", "local", "tests", "rich"}}


def test_deciding_loads_no_network_library() -> None:
    """Reading and deciding import no library that can use a network."""
    modules = loaded_by("import shared.deciding.decide, shared.event, shared.rules")
    networked = {"azure", "airflow_client", "urllib3", "requests", "http.client", "ssl"}
    assert not {name for name in modules if name in networked or name.split(".")[0] in networked}
    assert "shared.rules.known_types" not in modules  # a list that is read only for rules with types of Azure
