"""Programs of the local stack: started, watched, and ended with all processes that they started."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local.processes import guard, programs
from local.processes.processes import Interrupted, Processes, StackError, interruptible, shown
from tests.support.hidden_signals import HOWS, How, hiding
from tests.support.paths import ROOT

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")

SLEEPER = "import time; time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)"
FAMILY_OF_THREE = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "{SLEEPER}"])
subprocess.Popen([sys.executable, "-c", "{SLEEPER}"], start_new_session=True)
print("up")
time.sleep(600)
"""


def python(source: str) -> list[str]:
    """Return the command that runs some Python."""
    return [sys.executable, "-c", source]


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    """Return whether the condition becomes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    """A stack for each test, which the test closes."""
    return Processes(tmp_path / "logs")


@needs_proc
def test_leaving_ends_grandchildren_and_those_with_a_session_of_their_own(processes: Processes) -> None:
    """A normal end leaves no process behind, at any depth and in any session."""
    with processes:
        process = processes.start("three", python(FAMILY_OF_THREE))
        assert eventually(lambda: len(guard.find([process.pid], processes.family)) == 3)
    assert guard.find([process.pid], processes.family) == set()


def test_an_error_in_the_middle_ends_what_was_started(processes: Processes) -> None:
    """A failure during the start stops the programs that run already."""
    process = processes.start("sleeper", python(SLEEPER))
    with pytest.raises(StackError, match="cannot be started"), processes:
        processes.start("nothing", ["/no/such/program"])
    assert process.poll() == -signal.SIGTERM


def test_a_program_that_ignores_sigterm_is_killed(processes: Processes) -> None:
    """After its grace a program is ended with SIGKILL."""
    with processes:
        process = processes.start("stubborn", python(STUBBORN))
        processes.wait_until(lambda: "up" in process.tail(), (process,), seconds=10)
        processes.stop(process, grace=0.2)
        assert process.poll() == -signal.SIGKILL


def test_a_program_is_asked_with_the_signal_it_wants(processes: Processes) -> None:
    """Each program gets its own stop signal: Postgres stops fast on SIGINT and slowly on SIGTERM."""
    with processes:
        process = processes.start("sleeper", python(SLEEPER), stop_signal=signal.SIGQUIT)
        processes.stop(process)
        assert process.poll() == -signal.SIGQUIT


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("how", HOWS)
def test_no_process_outlives_its_stack_whatever_ended_it(
    number: signal.Signals, how: How, tmp_path: Path
) -> None:
    """Ctrl-C, SIGTERM, a closed terminal and even SIGKILL of the stack leave nothing behind.

    The first three end it also where a shell has hidden them.
    """
    program = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from local.processes.processes import Interrupted, Processes, interruptible
        try:
            with interruptible(), Processes(Path({str(tmp_path)!r})) as processes:
                processes.start("three", [sys.executable, "-c", {FAMILY_OF_THREE!r}])
                print(processes.family, flush=True)
                time.sleep(600)
        except Interrupted:
            sys.exit(7)
    """)
    command = [*hiding(how, signal.SIGINT, signal.SIGTERM, signal.SIGHUP), *python(program)]
    with programs.start(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        family = parent.stdout.readline().strip()
        assert eventually(lambda: len(guard.find([], family)) == 3)
        os.kill(parent.pid, number)
        assert parent.wait(timeout=20) == (-number if number == signal.SIGKILL else 7)
    assert eventually(lambda: not guard.find([], family))


@needs_proc
def test_the_guard_goes_when_the_stack_goes(processes: Processes) -> None:
    """The guard ends too."""
    with processes:
        processes.start("sleeper", python(SLEEPER))
        assert processes._guard is not None
        pid = processes._guard.pid
    assert not Path(f"/proc/{pid}").exists()


def test_an_early_death_shows_the_name_and_the_last_lines(processes: Processes) -> None:
    """The error has the program's name and the end of its output."""
    with processes:
        process = processes.start("queue keeper", python("print('no room on the disk'); raise SystemExit(3)"))
        with pytest.raises(
            StackError, match=r"queue keeper: ended at once with code 3.*\n.*no room"
        ) as caught:
            processes.wait_until(lambda: False, (process,), seconds=10)
        assert caught.value.log == process.log
        assert process.log.name == "queue-keeper.log"


def test_a_late_program_is_named(processes: Processes) -> None:
    """A program that is not ready in time is an error, not an endless wait."""
    with processes:
        process = processes.start("sleeper", python(SLEEPER))
        with pytest.raises(StackError, match="sleeper: was not ready after 0 s"):
            processes.wait_until(lambda: False, (process,), seconds=0.1)


def test_a_later_death_is_noticed_once_and_the_others_go_on(processes: Processes) -> None:
    """`ended` returns a program that ended by itself, one time, and ends what that program left behind."""
    leaves_a_child = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}])"
    with processes:
        other = processes.start("sleeper", python(SLEEPER))
        assert processes.ended() == []
        process = processes.start("gone", python(leaves_a_child))
        assert eventually(lambda: process.poll() is not None)
        assert processes.ended() == [process]
        assert guard.find([process.pid], "") == set()
        assert processes.ended() == []
        assert other.poll() is None
        processes.stop(process)  # it has ended, so nothing happens


def test_what_a_program_said_before_it_was_started_again_stays(processes: Processes) -> None:
    """The log of an earlier start of the same stack stands above; another stack begins a new log."""
    with processes:
        for word in ("first", "second"):
            processes.run("talker", python(f"print({word!r})"), seconds=10)
        log = processes._logs / "talker.log"
        assert log.read_text().split() == ["first", "second"]
    with Processes(log.parent) as another:
        another.run("talker", python("print('third')"), seconds=10)
        assert log.read_text().split() == ["third"]


def test_run_waits_for_the_end_and_tells_of_a_failure(processes: Processes) -> None:
    """`run` raises if the exit code is not 0."""
    with processes:
        processes.run("good", python("pass"), seconds=10)
        with pytest.raises(StackError, match="bad: ended with code 5"):
            processes.run("bad", python("raise SystemExit(5)"), seconds=10)


def test_nothing_starts_once_the_stack_is_stopping(processes: Processes) -> None:
    """A thread cannot start programs during a stop."""
    processes.close()
    with pytest.raises(StackError, match="the stack is stopping"):
        processes.start("late", python(SLEEPER))


def test_waiting_ends_when_the_stack_stops(processes: Processes) -> None:
    """A wait in another thread does not hold up a stop."""
    with processes:
        process = processes.start("sleeper", python(SLEEPER))
        processes.close()
        with pytest.raises(StackError):
            processes.wait_until(lambda: False, (process,), seconds=60, may_end=True)


def test_children_get_what_they_are_given_and_no_terminal(processes: Processes) -> None:
    """A child has its own settings and the parent's, and cannot read the terminal's input."""
    with processes:
        source = (
            "import os, sys; print(os.environ['A_SETTING'], 'PATH' in os.environ, sys.stdin.read() == '')"
        )
        processes.run("child", python(source), env={"A_SETTING": "blue"}, seconds=10)
        log = (processes._logs / "child.log").read_text()
    assert log.split() == ["blue", "True", "True"]


def test_a_second_interruption_does_not_disturb_the_stopping() -> None:
    """Only the first Ctrl-C raises; the former handlers are restored."""
    before = signal.getsignal(signal.SIGTERM)
    with interruptible():
        with pytest.raises(Interrupted, match="SIGTERM"):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


def test_paths_are_shown_from_where_the_person_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log below the current folder is shown relative to it, another one in full."""
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "logs" / "a.log") == "logs/a.log"
    assert shown(Path("/elsewhere/a.log")) == "/elsewhere/a.log"
