"""The parts of apache-airflow-client that the slim import relies on; an upgrade may change them."""

import importlib
import inspect
import json
import sys
from pathlib import Path

import pytest

from local.processes import programs
from shared.airflow.official_client import postpone
from tests.support.paths import ROOT

LOADED = """
import json, sys
from shared.airflow.official_client import slim_client
client = slim_client()
print(json.dumps(sorted(name for name in sys.modules if name.startswith("airflow_client"))))
"""
pytestmark = pytest.mark.slow
EXPECTED = {
    "airflow_client",
    "airflow_client.client",
    "airflow_client.client.api_client",
    "airflow_client.client.api_response",
    "airflow_client.client.configuration",
    "airflow_client.client.exceptions",
    "airflow_client.client.models",
    "airflow_client.client.models.trigger_dag_run_post_body",
    "airflow_client.client.rest",
}


def fresh(code: str) -> str:
    """Run code in a fresh interpreter, and return its output."""
    done = programs.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_only_what_a_run_needs_is_loaded() -> None:
    """The official client loads 9 of its modules; more means that an upgrade imports others from them."""
    loaded = set(json.loads(fresh(LOADED)))
    assert loaded == EXPECTED, f"now loaded as well: {loaded - EXPECTED}; gone: {EXPECTED - loaded}"


def test_our_modules_load_no_client() -> None:
    """Importing the modules that act loads neither the official client nor urllib3 nor Azure's."""
    code = (
        "import sys, shared.airflow.client, shared.delivery.relay, shared.stores.parking;"
        "import shared.stores.dead_letters, shared.azure.storage_account;"
        "print([n for n in sys.modules if n in ('urllib3', 'azure', 'airflow_client', 'pydantic')])"
    )
    assert fresh(code).strip() == "[]"


def test_the_whole_client_can_be_imported_afterwards() -> None:
    """A later import of the whole client works, and has the same classes."""
    fresh(
        LOADED
        + """
import airflow_client.client, airflow_client.client.models as models
assert airflow_client.client.DagRunApi.__name__ == "DagRunApi"
assert airflow_client.client.ApiClient is client.ApiClient
assert models.TriggerDAGRunPostBody is client.TriggerDAGRunPostBody
assert models.DAGRunResponse.__name__ == "DAGRunResponse"
assert airflow_client.client.api.dag_api.DAGApi
from airflow_client.client import DAGApi, rest
assert slim_client().ApiClient is client.ApiClient
"""
    )


def test_the_whole_client_may_have_been_imported_before() -> None:
    """If the whole client is loaded already, its classes are used."""
    fresh(
        "import airflow_client.client\n"
        + LOADED
        + "assert airflow_client.client.ApiClient is client.ApiClient\n"
    )


def test_a_submodule_is_found_by_attribute() -> None:
    """Another submodule is imported on first use, without the rest."""
    fresh(
        LOADED
        + """
import airflow_client.client
assert airflow_client.client.models.dag_run_state.DagRunState
assert "airflow_client.client.models.dag_response" not in sys.modules
assert not hasattr(airflow_client.client, "no_such_name")
"""
    )


def test_many_threads_may_come_first() -> None:
    """Threads that start at the same time get the same classes."""
    fresh(
        """
import threading
from shared.airflow.official_client import slim_client
barrier, found = threading.Barrier(8), []
def load():
    barrier.wait()
    found.append(slim_client())
threads = [threading.Thread(target=load) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len({id(client.ApiClient) for client in found}) == 1 and len(found) == 8
"""
    )


def test_a_postponed_package_runs_once_when_a_name_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Submodules are found without the package's `__init__`; any other name runs it, once."""
    package = tmp_path / "made_up_outer" / "made_up_inner"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("runs = globals().get('runs', 0) + 1\nname = 'value'\n")
    (package / "part.py").write_text("")
    (package / "other.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    postpone("made_up_outer.made_up_inner")
    postpone("made_up_outer.made_up_inner")
    inner = importlib.import_module("made_up_outer.made_up_inner")
    part = importlib.import_module("made_up_outer.made_up_inner.part")
    assert inner.other.__name__ == "made_up_outer.made_up_inner.other"
    assert "runs" not in vars(inner)
    assert (inner.part, inner.name, inner.runs) == (part, "value", 1)
    assert not hasattr(inner, "__made_up__")
    with pytest.raises(ModuleNotFoundError, match=r"made_up_outer\.missing is not installed"):
        postpone("made_up_outer.missing")


def test_a_missing_client_is_named() -> None:
    """Without the package the error names it."""
    fresh(
        """
import sys
from shared.airflow.official_client import slim_client
sys.modules["airflow_client"] = type(sys)("airflow_client")
sys.modules["airflow_client"].__path__ = []
try:
    slim_client()
except ModuleNotFoundError as exc:
    assert "airflow_client.client is not installed" in str(exc)
else:
    raise SystemExit("no error")
"""
    )


def test_the_signatures_are_as_expected() -> None:
    """The client's calls have the parameters that this app uses, and the same defaults."""
    from shared.airflow.official_client import slim_client

    slim = slim_client()
    serialize = inspect.signature(slim.ApiClient.param_serialize).parameters
    assert list(serialize)[:3] == ["self", "method", "resource_path"]
    assert {"header_params", "body"} <= set(serialize)
    call = list(inspect.signature(slim.ApiClient.call_api).parameters)
    assert call[:6] == ["self", "method", "url", "header_params", "body", "post_params"]
    assert "_request_timeout" in call
    configuration = inspect.signature(slim.Configuration.__init__).parameters
    assert {"host", "retries", "connection_pool_maxsize"} <= set(configuration)
    assert issubclass(slim.ApiException, Exception)


def test_the_body_keeps_what_it_is_given() -> None:
    """A null logical date stays in the body as a key, and nulls stay in the conf."""
    from shared.airflow.official_client import slim_client

    body = slim_client().TriggerDAGRunPostBody(
        dag_run_id="r", conf={"a": None, "b": [None]}, note=None, logical_date=None, run_after=None
    )
    assert body.to_dict() == {"dag_run_id": "r", "conf": {"a": None, "b": [None]}, "logical_date": None}
