"""Programs begin with default signals, with any signals that this process inherited."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGXFSZ, Signals

import pytest

from local.processes import programs
from local.processes.processes import Processes
from tests.support.hidden_signals import HOWS, How, hidden, hiding
from tests.support.paths import APPS, ROOT, TESTS

STATUS = Path("/proc/self/status")
needs_proc = pytest.mark.skipif(not STATUS.exists(), reason="reads a process's signals in /proc")
every_signal = pytest.mark.parametrize("number", [SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE])
every_how = pytest.mark.parametrize("how", HOWS)

Ended = tuple[int | None, str]
"""A program's exit code and its output."""


def by_start(command: Sequence[str], folder: Path) -> Ended:
    """Start it as tests and measurements do."""
    with programs.start(command, text=True, stdout=subprocess.PIPE) as process:
        output, _ = process.communicate(timeout=30)
    return process.returncode, output


def by_run(command: Sequence[str], folder: Path) -> Ended:
    """Run it to its end, as tests and measurements do."""
    ended = programs.run(command, timeout=30)
    return ended.returncode, ended.stdout


def by_processes(command: Sequence[str], folder: Path) -> Ended:
    """Start it as the local stack does."""
    with Processes(folder) as processes:
        process = processes.start("program", command)
        processes.wait_until(lambda: process.poll() is not None, (process,), seconds=30, may_end=True)
        return process.poll(), process.log.read_text()


every_way = pytest.mark.parametrize("way", [by_start, by_run, by_processes])
Way = Callable[[Sequence[str], Path], Ended]


def signals_of(status: str) -> dict[str, int]:
    """Return the sets of signals in a process's status, as in proc(5), without the C library's signals.

    glibc uses the first two real-time signals itself; a program that was started with `posix_spawn` may have
    them ignored, and no program can change that (https://www.man7.org/linux/man-pages/man7/nptl.7.html).
    """
    settable = as_set(*signal.valid_signals())
    return {
        name: int(value, 16) & settable
        for name, value in re.findall(r"^(Sig\w\w\w):\t(\w+)$", status, re.MULTILINE)
    }


def as_set(*numbers: int) -> int:
    """Return the signals as proc(5) writes a set of them."""
    return sum(1 << number - 1 for number in numbers)


@needs_proc
@every_way
@every_how
@every_signal
def test_a_program_begins_with_default_signals(way: Way, how: How, number: Signals, tmp_path: Path) -> None:
    """No signal that this process ignores or blocks is ignored or blocked in a program that it starts."""
    with hidden(how, number):
        _, output = way(["cat", str(STATUS)], tmp_path)
    found = signals_of(output)
    assert (found["SigIgn"], found["SigBlk"]) == (0, 0)


@every_way
@every_how
@every_signal
def test_a_program_ends_on_the_signal(way: Way, how: How, number: Signals, tmp_path: Path) -> None:
    """A signal that this process ignores or blocks still ends a program that it starts."""
    with hidden(how, number):
        code, _ = way(["sh", "-c", f"kill -{int(number)} $$; exit 7"], tmp_path)
    assert code == -number


@every_how
@every_signal
def test_a_signal_is_not_lost_at_the_beginning(how: How, number: Signals) -> None:
    """A program has its default signals as soon as it is started, so that it can be ended at once."""
    with hidden(how, number), programs.start(["sleep", "600"]) as process:
        process.send_signal(number)
        try:
            assert process.wait(timeout=30) == -number
        finally:
            process.kill()


@needs_proc
@every_how
@every_signal
def test_the_guard_hides_its_own_signals_only(how: How, number: Signals, tmp_path: Path) -> None:
    """The guard ignores signals that could end it with its parent, and no inherited ones."""
    own = as_set(SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ)  # the last two are Python's
    with hidden(how, number), Processes(tmp_path) as processes:
        processes.start("sleeper", ["sleep", "600"])
        assert processes._guard is not None
        found = signals_of(Path(f"/proc/{processes._guard.pid}/status").read_text())
    assert (found["SigIgn"] & ~own, found["SigBlk"]) == (0, 0)


RESTORED = """
import os, sys
from local.processes import default_signals
default_signals.restore()
os.kill(os.getpid(), int(sys.argv[1]))
sys.exit(7)
"""


@every_how
@pytest.mark.parametrize("number", [SIGINT, SIGQUIT, SIGTERM, SIGHUP])
def test_a_program_of_ours_undoes_what_it_inherited(how: How, number: Signals) -> None:
    """After `restore()` a Python program ends on a signal that its parent ignored; SIGINT interrupts it."""
    command = [*hiding(how, number), sys.executable, "-c", RESTORED, str(int(number))]
    ended = programs.run(command, cwd=ROOT, timeout=30)
    assert ended.returncode == -number
    assert ("KeyboardInterrupt" in ended.stderr) is (number == SIGINT)


def test_every_program_of_ours_undoes_what_it_inherited() -> None:
    """Programs that are started with `python -m` restore their signals first.

    The guard sets its own. The worker of mutants may load nothing of ours, and is started by `programs`.
    """
    folders = (ROOT / "local", ROOT / "bench", ROOT / "for_airflow" / "bench", TESTS)
    begin = 'if __name__ == "__main__":\n    '
    programs_of_ours = {
        path.relative_to(ROOT).as_posix(): text.partition(begin)[2]
        for folder in folders
        for path in folder.rglob("*.py")
        if "node_modules" not in path.parts and begin in (text := path.read_text(encoding="utf-8"))
    }
    others = {
        path for path, text in programs_of_ours.items() if not text.startswith("default_signals.restore()\n")
    }
    assert len(programs_of_ours) > 10
    assert {Path(path).name for path in others} == {"guard.py", "default_signals.py", "worker.py"}


@every_how
@pytest.mark.parametrize("number", [SIGINT, SIGTERM, SIGHUP])
def test_the_functions_host_stops_cleanly_wherever_it_was_started(how: How, number: Signals) -> None:
    """The host stops on a signal also where a shell started it in the background, or `nohup` did."""
    host = [sys.executable, "-m", "local.functions_host", "--app", str(APPS / "echo"), "--port", "0"]
    command = [*hiding(how, number), *host]
    with programs.start(
        command, text=True, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            assert process.stdout is not None
            assert any("Now listening on" in line for line in process.stdout)
            process.send_signal(number)
            assert "Stopped." in process.communicate(timeout=30)[0]
            assert process.returncode == 0
        finally:
            process.kill()


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A missing program, a missing folder and a file that is not a program are named."""
    text = tmp_path / "text"
    text.write_text("no program")
    for command, cwd, error in (
        (["no-such-program"], None, FileNotFoundError),
        (["true"], tmp_path / "nowhere", FileNotFoundError),
        ([text], None, PermissionError),
    ):
        with pytest.raises(error) as caught:
            programs.start(command, cwd=cwd, stdout=subprocess.PIPE)
        assert str(caught.value.filename) == str(cwd or command[0])


@pytest.mark.parametrize("locale", [{}, {"LC_CTYPE": "C"}, {"LC_CTYPE": "C.UTF-8"}])
def test_a_program_gets_the_environment_that_it_is_given(locale: dict[str, str]) -> None:
    """Nothing is added to the environment, not even the locale that Python gives itself."""
    given = {"PATH": os.environ["PATH"], "A_SETTING": "blue", **locale}
    assert set(programs.run(["env"], env=given).stdout.splitlines()) == {
        f"{name}={value}" for name, value in given.items()
    }


def test_a_program_inherits_no_descriptor() -> None:
    """The pipe that reports a program's beginning is closed in the program."""
    source = "import os; print([number for number in range(3, 64) if os.path.exists(f'/dev/fd/{number}')])"
    assert programs.run([sys.executable, "-c", source]).stdout == "[]\n"


def test_a_program_that_takes_too_long_is_killed() -> None:
    """`run` ends a program after its time-out, and raises."""
    with pytest.raises(subprocess.TimeoutExpired):
        programs.run(["sleep", "600"], timeout=0.1)


def test_a_failure_is_an_error_where_success_is_demanded() -> None:
    """`run` returns an exit code, or raises it with `check`."""
    assert programs.run(["sh", "-c", "exit 3"]).returncode == 3
    with pytest.raises(subprocess.CalledProcessError, match="status 3"):
        programs.run(["sh", "-c", "exit 3"], check=True)
