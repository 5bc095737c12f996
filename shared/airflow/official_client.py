"""Imports the official Airflow client without the 500 modules that starting a DAG run does not need.

`import airflow_client.client` runs package `__init__` files that import all of the API's 29 groups and 184
models, and compiles 418 pydantic signatures: one to two seconds, most of a cold start. The modules that send
a request do not need them. So the two packages above them are put into `sys.modules`, and their `__init__`
runs only when code reads another name from them. An import of the whole client, before or after, works as
usual.

`tests/airflow/test_official_client.py` checks the parts of the client that this relies on. The figures are in
`docs/decisions/0002-airflow-client.md`.
"""

import importlib
import importlib.util
import sys
import threading
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, Final

ROOT: Final = "airflow_client.client"
POSTPONED: Final = (ROOT, f"{ROOT}.models")
"""The packages whose `__init__` imports everything, outermost first."""

_lock: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class SlimClient:
    """The parts of the official client that a DAG run needs.

    Attributes:
        ApiClient: Serialises a request and sends it through urllib3.
        Configuration: Address, pool size and retries.
        TriggerDAGRunPostBody: The body that starts a run.
        ApiException: The client's error; raised only for TLS errors, because the body is not read.
    """

    ApiClient: type[Any]
    Configuration: type[Any]
    TriggerDAGRunPostBody: type[Any]
    ApiException: type[Exception]


class _PostponedPackage(ModuleType):
    """A package whose `__init__` runs when code first reads a name that is not a submodule."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        if importlib.util.find_spec(f"{self.__name__}.{name}") is not None:
            return importlib.import_module(f"{self.__name__}.{name}")
        self.__class__ = ModuleType  # type: ignore[assignment] # from here on an ordinary module
        return getattr(importlib.reload(self), name)


def postpone(name: str) -> None:
    """Make a package importable without running its `__init__` until code reads a name from it.

    Raises:
        ModuleNotFoundError: The package is not installed.
    """
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"the package {name} is not installed: see requirements.txt", name=name)
    module = _PostponedPackage(name, "A package whose __init__ has been postponed.")
    module.__spec__ = spec
    module.__package__ = name
    module.__file__ = spec.origin
    module.__path__ = list(spec.submodule_search_locations or ())
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    setattr(importlib.import_module(parent), child, module)


def slim_client() -> SlimClient:
    """Load the modules for a DAG run, once a process; safe to use from any thread.

    Raises:
        ImportError: The installed apache-airflow-client has other modules than expected.
    """
    with _lock:
        return _slim_client()


@cache
def _slim_client() -> SlimClient:
    for name in POSTPONED:
        postpone(name)
    return SlimClient(
        ApiClient=importlib.import_module(f"{ROOT}.api_client").ApiClient,
        Configuration=importlib.import_module(f"{ROOT}.configuration").Configuration,
        TriggerDAGRunPostBody=importlib.import_module(
            f"{ROOT}.models.trigger_dag_run_post_body"
        ).TriggerDAGRunPostBody,
        ApiException=importlib.import_module(f"{ROOT}.exceptions").ApiException,
    )
