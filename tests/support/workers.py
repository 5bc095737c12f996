"""A pytest plugin: which tests share a worker of pytest-xdist, and which of them begin first.

A service that takes long to start is started once in a run, so the tests that use it have to be one worker's.
Everything else goes to the worker that is free. What takes long begins first, so that at the end no worker
waits for another. Nothing of this is set by hand: it follows from a test's folder and its fixtures.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.support.paths import TESTS

MARKS: Final = {
    "stack": "stack",
    "faults": "stack",
    "crashpoints": "stack",
    "functions": "slow",
    "local": "slow",
}
"""What the tests of a folder need, by the folder's name; `make test-fast` leaves these folders out."""
FIRST: Final = ("faults", "stack", "crashpoints")
"""The folders whose tests take long."""
SERVICES: Final = ("stack", "airflow2", "airflow_with_passwords", "airflows", "cases")
"""The fixtures that start something costly, once for each value of their parameters."""


def group_of(fixtures: Collection[str], parameters: Mapping[str, object]) -> str | None:
    """Return the name of the group whose tests one worker has to run; None for any worker.

    Args:
        fixtures: The fixtures that a test uses, directly or through others.
        parameters: The values of the test's parameters.
    """
    service = next((name for name in SERVICES if name in fixtures), None)
    if service is None:
        return None
    kind = parameters.get(service) or getattr(parameters.get("fault"), "database", None)
    return f"{service} {kind}" if kind else service


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder and its group, and let those that take long be first."""
    for item in items:
        mark = MARKS.get(_folder(item.path))
        if mark is not None:
            item.add_marker(mark)
        if isinstance(item, pytest.Function):
            parameters = item.callspec.params if hasattr(item, "callspec") else {}
            group = group_of(item.fixturenames, parameters)
            if group is not None:
                item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: _folder(item.path) not in FIRST)


def _folder(path: Path) -> str:
    return path.relative_to(TESTS).parts[0]
