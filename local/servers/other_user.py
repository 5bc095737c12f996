"""Another user of this machine, for a program that refuses to run as root.

The user is a number that has no account and no process, so no other program runs as it. It has no groups and
no capabilities.
"""

import os
import pwd
import random
import shutil
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from local.processes.processes import StackError

_UNUSED: Final = range(60_578, 61_184)
"""User ids that no distribution assigns: https://systemd.io/UIDS-GIDS/."""
_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class OtherUser:
    """A user by its numbers.

    Attributes:
        uid: The user id.
        gid: The group id.
    """

    uid: int
    gid: int

    @classmethod
    def without_account(cls) -> Self:
        """Return a user without an account and processes."""
        taken = {account.pw_uid for account in pwd.getpwall()} | _running()
        number = random.choice([number for number in _UNUSED if number not in taken])  # noqa: S311 - not a secret
        return cls(number, number)

    @classmethod
    def nobody(cls) -> Self:
        """Return the account `nobody`, for a program that needs the name of its user."""
        account = pwd.getpwnam("nobody")
        return cls(account.pw_uid, account.pw_gid)

    def command(self) -> tuple[str, ...]:
        """Return the prefix of a command that runs the rest as this user.

        Raises:
            StackError: `setpriv` is not installed.
        """
        if shutil.which("setpriv") is None:
            raise StackError(
                "postgres", "does not run as root without `setpriv`: use another user, or install util-linux"
            )
        user = (f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups")
        return ("setpriv", *user, "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs", "--")

    def own(self, folder: Path) -> None:
        """Make the user the owner of a folder's content, and then of the folder.

        Links are never followed, and a file with a second name is skipped: the former owner may have made
        them.
        """
        for name, folders, files in os.walk(folder):
            for entry in (Path(name, entry) for entry in (*folders, *files)):
                found = entry.lstat()
                if stat.S_ISDIR(found.st_mode) or found.st_nlink == 1:
                    os.chown(entry, self.uid, self.gid, follow_symlinks=False)
        os.chown(folder, self.uid, self.gid, follow_symlinks=False)

    def owns(self, folder: Path) -> bool:
        """Return whether a path is a folder that only this user can enter."""
        try:
            found = folder.lstat()
        except OSError:
            return False
        closed = stat.S_IMODE(found.st_mode) == stat.S_IRWXU
        return stat.S_ISDIR(found.st_mode) and closed and found.st_uid == self.uid


def reachable(program: Path) -> bool:
    """Return whether every user of this machine can run a program."""
    path = program.resolve()
    needed = stat.S_IROTH | stat.S_IXOTH
    return path.stat().st_mode & needed == needed and _enterable(path.parents)


def folder_outside(prefix: str) -> Path:
    """Make a temporary folder of root, whose parent folders every user can enter.

    Raises:
        StackError: No folder for temporary files is open to every user.
    """
    for place in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):  # noqa: S108 - mkdtemp makes it
        if place.is_dir() and _enterable((place.resolve(), *place.resolve().parents)):
            return Path(tempfile.mkdtemp(prefix=prefix, dir=place.resolve()))
    raise StackError("postgres", "finds no folder for temporary files that every user can enter; set TMPDIR")


def _enterable(folders: Iterable[Path]) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in folders)


def _running() -> set[int]:
    """Return the users with processes in /proc."""
    found = set()
    for entry in _PROC.glob("[0-9]*"):
        try:
            found.add(entry.stat().st_uid)
        except OSError:  # it ended meanwhile
            continue
    return found
