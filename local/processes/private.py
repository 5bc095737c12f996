"""Folders and files that only their owner can enter, read or write.

The local stack keeps passwords, keys, events and logs on disk, and other people may use the same machine.
"""

import errno
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
"""The permissions of all other users; also the umask of the stack's programs."""


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner can access, and return it; an existing one loses other permissions.

    Missing folders above it are made in the same way.

    Raises:
        PermissionError: It belongs to another user, or all users could write into it until now: its
            content may come from another user.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise PermissionError(
            errno.EPERM,
            f"belongs to user {found.st_uid}, not to you; remove it, or run as that user",
            str(path),
        )
    if found.st_mode & stat.S_IWOTH:
        raise PermissionError(
            errno.EPERM, "every user can write into it; check its content, remove it", str(path)
        )
    if found.st_mode & OTHERS:
        path.chmod(0o700)
    return path


def open_private(path: Path, *, append: bool = False) -> IO[bytes]:
    """Open a file for its owner alone; what was there does not keep looser permissions.

    Args:
        path: The file.
        append: Whether what is in it stays; by default the file is emptied.

    Raises:
        OSError: It cannot be written, or it is a symbolic link.
    """
    how = os.O_APPEND if append else os.O_TRUNC
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return open(descriptor, "wb")  # noqa: PTH123 - a descriptor


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read.

    Raises:
        OSError: As in `open_private`.
    """
    with open_private(path) as file:
        file.write(text.encode())


def kept_secrets(path: Path, new: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets of a file that only its owner can read; a secret that it lacks is added.

    Args:
        path: The file; it is made when it is missing.
        new: The names, and the values for those that the file lacks.

    Raises:
        OSError: As in `open_private`.
    """
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    if new.keys() - kept.keys():
        private_folder(path.parent)
        write_private(path, json.dumps({**new, **kept}))
    return {**new, **kept}
