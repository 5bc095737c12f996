import gc
import importlib
import sys

import pytest

from local.processes import programs
from shared.collector import collector_paused
from tests.support.paths import ROOT


@pytest.fixture(autouse=True)
def _collector() -> None:
    """These tests need a collector that is on."""
    assert gc.isenabled()


def test_nothing_is_collected_in_a_pause() -> None:
    """The collector is off in the block, and on again after it, also if the block fails."""
    try:
        with collector_paused():
            assert not gc.isenabled()
        assert gc.isenabled()
        with pytest.raises(ModuleNotFoundError), collector_paused():
            importlib.import_module("there_is_no_such_module")
        assert gc.isenabled()
    finally:
        gc.unfreeze()


def test_a_collector_that_was_off_stays_off() -> None:
    """A collector that was off before a pause is off after it."""
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


@pytest.mark.slow
def test_the_indexed_app_is_exempt_from_collections() -> None:
    """Indexing the app runs no collection, and exempts its modules from later ones."""
    code = (
        "import azure.functions, gc; before = sum(g['collections'] for g in gc.get_stats());"
        "import function_app; after = sum(g['collections'] for g in gc.get_stats());"
        "assert gc.isenabled() and gc.get_freeze_count() > 10_000, gc.get_freeze_count();"
        "assert after - before <= 1, after - before"
    )
    done = programs.run([sys.executable, "-c", code], cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
