"""The dead letters of one blob container, for `updraft replay`: find them, read them, set them aside."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

from shared.azure.storage_account import storage_errors
from shared.stores.dead_letter_reader import BadLetter, Letter, read_letters, rest_of
from shared.stores.dead_letters import folder_of

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

REPLAYED: Final = "replayed/"
"""Where letters go that were sent again."""
AT_ONCE: Final = 8
"""Calls to Storage at one time."""
_TOGETHER: Final = 64


@dataclass(frozen=True, slots=True)
class Kept:
    """A blob with dead letters.

    Attributes:
        name: The blob's name.
        etag: Which of the blob's contents was read.
        content: It.
        letters: What it holds, as far as it can be read.
        bad: What of it cannot be read.
    """

    name: str
    etag: str
    content: bytes
    letters: Sequence[Letter] = ()
    bad: Sequence[BadLetter] = ()

    @property
    def problem(self) -> str:
        """Why not all of it can be read; empty where all can."""
        return "; ".join(each.problem for each in self.bad)


class DeadLetterContainer:
    """A container with dead letters; safe to use from any thread.

    Args:
        container: Its client.
        ours: Whether this app writes there, rather than Event Grid.
    """

    thing = "dead letter"
    set_aside_words = "moved to replayed/"

    def __init__(self, container: "ContainerClient", *, ours: bool) -> None:
        self._container = container
        self._ours = ours
        self.name = str(container.container_name)

    def names(self, *, rule: str = "", since: datetime | None = None) -> list[str]:
        """Return the names of the blobs that were not sent again yet, in order.

        Args:
            rule: Only what was given up at this rule, as far as names tell.
            since: Only what was written since then.

        Raises:
            StorageUnavailable: The container cannot be listed.
        """
        from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - half a second that --help saves

        prefix = f"{folder_of(rule)}/" if rule and self._ours else None
        with storage_errors(f"the container {self.name} cannot be listed"):
            try:
                return [
                    blob.name
                    for blob in self._container.list_blobs(name_starts_with=prefix)
                    if not blob.name.startswith(REPLAYED)
                    and (since is None or blob.last_modified is None or blob.last_modified >= since)
                ]
            except ResourceNotFoundError:
                return []  # it is made with the first letter

    def read(self, name: str) -> Kept | None:
        """Return a blob and its letters; None where it is gone.

        Raises:
            StorageUnavailable: It cannot be read.
        """
        from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - as above

        with storage_errors(f"{name} cannot be read from the container {self.name}"):
            try:
                download = self._container.download_blob(name)
                content: bytes = download.readall()
            except ResourceNotFoundError:
                return None
        etag = str(download.properties.etag)
        read = read_letters(content, ours=self._ours)
        letters = [each for each in read if isinstance(each, Letter)]
        return Kept(name, etag, content, letters, [each for each in read if isinstance(each, BadLetter)])

    def read_all(self, names: Sequence[str]) -> Iterator[Kept]:
        """Yield what is there of these blobs, several read at a time, in their order; raises as `read`."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for some in batched(names, _TOGETHER, strict=False):
                yield from (kept for kept in pool.map(self.read, some) if kept is not None)

    def leave(self) -> list[str]:
        """Return what else is to be said when all is done: nothing."""
        return []

    def set_aside(self, kept: Kept, left: Sequence[str] = ()) -> bool:
        """Move a blob to `replayed/`, and leave behind what of it was not sent.

        A letter's name is that of its event and rule, so that one that was sent again and given up again has
        the same name: such a newer letter stays.

        Args:
            kept: The blob.
            left: The texts of its letters that were not sent: the blob holds them alone from then on.

        Returns:
            False where a newer one had taken its place.

        Raises:
            StorageUnavailable: It is still there, perhaps with a copy in `replayed/`.
        """
        from azure.core import MatchConditions  # noqa: PLC0415 - as above
        from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError  # noqa: PLC0415 - as above

        copy = f"{REPLAYED}{kept.name}" + (f".{sha256(kept.content).hexdigest()[:16]}" if left else "")
        with storage_errors(f"{kept.name} was sent again, and cannot be moved to {REPLAYED}"):
            self._container.upload_blob(
                copy,
                kept.content,
                overwrite=True,
                metadata={"replayed": datetime.now(UTC).isoformat(timespec="seconds")},
            )
            same: dict[str, Any] = {"etag": kept.etag, "match_condition": MatchConditions.IfNotModified}
            try:
                if left:
                    rest = rest_of(left).encode(errors="backslashreplace")
                    self._container.upload_blob(kept.name, rest, overwrite=True, **same)
                else:
                    self._container.delete_blob(kept.name, **same)
            except ResourceNotFoundError:
                return True  # another replay was quicker
            except ResourceModifiedError:  # as some answer for a blob that is gone, too
                return not self._container.get_blob_client(kept.name).exists()
        return True
