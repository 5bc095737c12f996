"""Folders and files that only their owner may enter, read or write."""

import os
import stat
from pathlib import Path

import pytest

from local.processes.private import kept_secrets, open_private, private_folder, write_private


@pytest.fixture(autouse=True)
def _a_loose_umask() -> object:
    """All users can access files with default permissions."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Return a path's permissions."""
    return stat.S_IMODE(path.lstat().st_mode)


def test_each_folder_that_is_made_is_closed(tmp_path: Path) -> None:
    """A missing folder and the folders above it are made with the owner's permissions only."""
    made = private_folder(tmp_path / "a" / "b")
    assert [mode(made), mode(made.parent)] == [0o700, 0o700]


@pytest.mark.parametrize("loose", [0o755, 0o770, 0o710, 0o701, 0o705, 0o775, 0o2775])
def test_a_loose_folder_is_tightened(tmp_path: Path, loose: int) -> None:
    """A folder that others could enter or read is closed to them."""
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(loose)
    assert mode(private_folder(folder)) & 0o777 == 0o700


@pytest.mark.parametrize("loose", [0o777, 0o1777, 0o702])
def test_a_folder_that_everybody_could_write_into_is_refused(tmp_path: Path, loose: int) -> None:
    """A folder that others can write into is refused, because its content may come from another user."""
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(loose)
    with pytest.raises(PermissionError, match="every user can write into it"):
        private_folder(folder)


def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    """A folder of another user is refused, because its owner could replace its content."""
    folder = Path("/usr")  # root's, for all other users
    if os.geteuid() == 0:
        folder = tmp_path / "state"
        folder.mkdir(mode=0o700)
        os.chown(folder, 54321, 54321)
    with pytest.raises(PermissionError, match="belongs to user"):
        private_folder(folder)


@pytest.mark.parametrize("loose", [None, 0o644, 0o666, 0o600])
def test_a_file_is_closed_before_it_is_written(tmp_path: Path, loose: int | None) -> None:
    """A new file and one that was open to others end with the owner's permissions and the new text alone."""
    file = tmp_path / "keys.json"
    if loose is not None:
        file.write_text("what was there before, and longer")
        file.chmod(loose)
    with open_private(file) as opened:
        assert mode(file) == 0o600
        assert file.read_text() == ""
        opened.write(b"new")
    assert file.read_text() == "new"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A secret is not written through a symbolic link."""
    target = tmp_path / "target"
    target.write_text("kept")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        write_private(tmp_path / "link", "a secret")
    assert target.read_text() == "kept"


def test_kept_secrets_stay_and_missing_ones_are_added(tmp_path: Path) -> None:
    """A secret has the value of its first start, and only the owner can read the file."""
    file = tmp_path / "state" / "secrets.json"
    assert kept_secrets(file, {"a": "1"}) == {"a": "1"}
    assert kept_secrets(file, {"a": "2", "b": "3"}) == {"a": "1", "b": "3"}
    assert kept_secrets(file, {"a": "4", "b": "5"}) == {"a": "1", "b": "3"}
    assert mode(file) == 0o600


def test_a_private_file_can_be_continued(tmp_path: Path) -> None:
    """What is appended stands below what was there, and loose permissions are tightened."""
    file = tmp_path / "log"
    file.write_text("one ")
    file.chmod(0o644)
    with open_private(file, append=True) as log:
        log.write(b"two")
    assert (file.read_text(), mode(file)) == ("one two", 0o600)
