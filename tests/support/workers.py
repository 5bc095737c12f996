"""A pytest plugin: which tests share a worker of pytest-xdist, and which of them begin first.

A service that takes long to start is started once in a run, so the tests that use it have to be one worker's.
Everything else goes to the worker that is free. What takes long begins first, so that at the end no worker
waits for another. None of this is set by hand: it follows from a test's folder and its fixtures.

The marks follow from them as well. A test that itself starts a program has the mark `slow` by hand; without
the mark it cannot start one.

pytest-xdist has `--dist loadgroup` for this, which has no effect with pytest 9.2
(https://github.com/pytest-dev/pytest-xdist/issues/1386): it writes the group into the test's id, which can no
longer be changed. Here the ids stay as they are, and each worker writes its groups into a file.
"""

import json
from collections.abc import Collection, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

from local.processes import programs
from local.processes.private import private_folder
from tests.support.paths import TESTS
from tests.support.state import STATE_OF_TESTS

if TYPE_CHECKING:
    from xdist.remote import Producer

MARKS: Final = {
    "stack": "stack",
    "faults": "stack",
    "crashpoints": "stack",
    "functions": "slow",
    "local": "slow",
}
"""The services that the tests of a folder need, by the folder's name; `make test-fast` leaves these out."""
FIRST: Final = ("faults", "stack", "crashpoints")
"""The folders whose tests take long."""
SERVICES: Final = ("stack", "airflow2", "airflow_with_passwords", "airflows", "cases")
"""The fixtures that start something costly, once for each value of their parameters."""
NEEDS_STACK: Final = frozenset({*SERVICES, "azurite"})
"""The fixtures that make a test one of the stack in any folder."""
IS_SLOW: Final = frozenset({"caller", "processes"})
"""The fixtures that make a test slow in any folder: a Functions host in this process, or programs."""
GROUP: Final = pytest.StashKey[str]()
"""The key of a test's stash, for a test that uses one of them."""
_FILE: Final = "groups.json"


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


class Groups(LoadScopeScheduling):
    """Gives each group as a whole to one worker, and then each other test to a worker that is free."""

    def schedule(self) -> None:
        """Read the groups, which all workers have found alike, and begin."""
        file = STATE_OF_TESTS.with_name(self.nodes[0].gateway.id) / _FILE
        self._groups: dict[str, str] = json.loads(file.read_text())
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return self._groups.get(nodeid, nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> Groups | None:
    """Take the place of xdist's own scheduler of this name."""
    return Groups(config, log) if config.getoption("dist") == "loadgroup" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder or its services, find its group, and let those that take long be first."""
    for item in items:
        mark = MARKS.get(_folder(item.path))
        if mark is not None:
            item.add_marker(mark)
        if isinstance(item, pytest.Function):
            if not NEEDS_STACK.isdisjoint(item.fixturenames):
                item.add_marker("stack")
            if not IS_SLOW.isdisjoint(item.fixturenames):
                item.add_marker("slow")
            parameters = item.callspec.params if hasattr(item, "callspec") else {}
            group = group_of(item.fixturenames, parameters)
            if group is not None:
                item.stash[GROUP] = group
    items.sort(key=lambda item: (GROUP not in item.stash, _folder(item.path) not in FIRST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Refuse to start a program for a test of the quick layer, as its mark would be wrong."""
    if any(item.get_closest_marker(mark) for mark in ("slow", "stack")):
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "start", _refuse)
        return (yield)


def _refuse(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a test of the quick layer starts a program: give it the mark `slow`")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the groups down, before xdist reports to the scheduler that this worker is ready."""
    if hasattr(session.config, "workerinput"):
        private_folder(STATE_OF_TESTS)
        groups = {item.nodeid: item.stash[GROUP] for item in session.items if GROUP in item.stash}
        (STATE_OF_TESTS / _FILE).write_text(json.dumps(groups))


def _folder(path: Path) -> str:
    return path.relative_to(TESTS).parts[0]
