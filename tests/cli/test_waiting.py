"""The line that names work on the network: once for each piece of work, only if it takes long."""

import threading
import time

import pytest

from cli.waiting import waiting


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name work at once, and report it again soon."""
    monkeypatch.setattr("cli.waiting.PATIENCE", 0.0)
    monkeypatch.setattr("cli.waiting.EVERY", 0.05)


def test_short_work_is_not_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Work of less than a second prints nothing, also after its end, and leaves no thread."""
    before = {*threading.enumerate()}
    with waiting("asking"):
        assert {*threading.enumerate()} - before
    assert capsys.readouterr() == ("", "")
    assert not {*threading.enumerate()} - before


@pytest.mark.usefixtures("hasty")
def test_work_without_parts_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    """However long it takes, there is one line on standard error, without invisible characters."""
    with waiting("asking \x1b[31m"):
        time.sleep(0.2)
    assert capsys.readouterr() == ("", "asking \\x1b[31m …\n")


@pytest.mark.usefixtures("hasty")
def test_work_with_parts_reports_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """The parts that are done are counted, and the line comes again while the work goes on."""
    with waiting("reading") as work:
        for _ in work.counted([1, 2, 3], 3):
            time.sleep(0.07)
    first, *more = capsys.readouterr().err.splitlines()
    assert first.startswith("reading …")
    assert "reading … 1 of 3" in more
    assert len(more) <= 5


def test_work_that_fails_ends_the_thread() -> None:
    """The error goes on, and nothing is printed later."""
    before = {*threading.enumerate()}
    with pytest.raises(ValueError, match="no"), waiting("asking"):
        raise ValueError("no")
    assert not {*threading.enumerate()} - before
