"""The dead letters of one blob container: finds them, reads them, and marks those that were sent again.

A dead letter is evidence: this module never changes, moves or deletes one. The marks are separate blobs that
are written once (`shared/stores/dead_letter_names.py`).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

from shared.azure.storage_account import storage_errors
from shared.stores.dead_letter_names import (
    REPLAYED,
    begun_mark,
    folder_of,
    marks_of,
    read_sent_mark,
    sent_mark,
)
from shared.stores.dead_letter_reader import BadLetter, Letter, read_letters

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties, ContainerClient

AT_ONCE: Final = 8
"""Calls to Storage at one time."""
_TOGETHER: Final = 64


@dataclass(frozen=True, slots=True)
class Kept:
    """A blob with dead letters.

    Attributes:
        name: The blob's name.
        letters: Its dead letters that a replay sends.
        bad: The parts that cannot be read.
        sent: Its dead letters that were sent again, if others were not.
        replays: The times at which it was sent again.
        done: Whether all of it was sent again.
    """

    name: str
    letters: Sequence[Letter] = ()
    bad: Sequence[BadLetter] = ()
    sent: Sequence[Letter] = ()
    replays: Sequence[datetime] = ()
    done: bool = False

    @property
    def problem(self) -> str:
        """Why parts cannot be read; empty if all can."""
        return "; ".join(each.problem for each in self.bad)


@dataclass(frozen=True, slots=True)
class _Mark:
    """A mark that a blob was sent again."""

    name: str
    sent_at: datetime
    whole: bool
    written: datetime


class DeadLetterContainer:
    """A container with dead letters; safe to use from any thread.

    Args:
        container: Its client.
        ours: Whether this app writes there, rather than Event Grid.
    """

    thing = "dead letter"
    finished_words = "marked as sent again"

    def __init__(self, container: "ContainerClient", *, ours: bool) -> None:
        self._container = container
        self._ours = ours
        self._unmarked: set[str] = set()
        self.name = str(container.container_name)

    def names(self, *, rule: str = "", since: datetime | None = None, replayed: bool = False) -> list[str]:
        """Return the names of the blobs that were not sent again yet, in order.

        Args:
            rule: Only blobs of this rule, if their names show the rule.
            since: Only blobs that were written since then.
            replayed: Whether to return the blobs that were sent again instead.

        Raises:
            StorageUnavailable: The container cannot be listed.
        """
        prefix = f"{folder_of(rule)}/" if rule and self._ours else ""
        letters, marks = self._listed(prefix)
        if prefix:
            marks += self._listed(f"{REPLAYED}{prefix}")[1]
        self._unmarked = letters.keys() - {mark.name for mark in marks}
        whole: dict[str, datetime] = {}
        for mark in marks:
            if mark.whole:
                whole[mark.name] = max(mark.written, whole.get(mark.name, mark.written))
        return [
            name
            for name, written in letters.items()
            if (name in whole and whole[name] >= written) == replayed and (since is None or written >= since)
        ]

    def read(self, name: str) -> Kept | None:
        """Return a blob with its dead letters; None if it is gone, or is a mark.

        Raises:
            StorageUnavailable: It cannot be read.
        """
        from azure.core.exceptions import ResourceNotFoundError

        if name.startswith(REPLAYED):
            return None
        with storage_errors(f"{name} cannot be read from the container {self.name}"):
            try:
                download = self._container.download_blob(name)
                content: bytes = download.readall()
            except ResourceNotFoundError:
                return None
        written = download.properties.last_modified
        marks = [mark for mark in self._marks(name) if mark.written >= written]
        done = any(mark.whole for mark in marks)
        sent_before = frozenset[str]() if done else self._members(mark for mark in marks if not mark.whole)
        read = read_letters(content, ours=self._ours)
        letters = [each for each in read if isinstance(each, Letter)]
        return Kept(
            name,
            [each for each in letters if _digest(each) not in sent_before],
            [each for each in read if isinstance(each, BadLetter)],
            [each for each in letters if _digest(each) in sent_before],
            sorted(mark.sent_at for mark in marks),
            done,
        )

    def read_all(self, names: Sequence[str]) -> Iterator[Kept]:
        """Yield the blobs of these names that exist, in their order, read in parallel; raises as `read`."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for some in batched(names, _TOGETHER, strict=False):
                yield from (kept for kept in pool.map(self.read, some) if kept is not None)

    def leave(self) -> list[str]:
        """Return an empty list: a container holds no further messages."""
        return []

    def begin(self, kept: Kept) -> None:
        """Mark a blob before it is sent again.

        The app may give the event up once more before the blob is marked as sent. By this mark the app knows
        that the present dead letter is the earlier one (`BlobDeadLetters.write`).

        Args:
            kept: The blob.

        Raises:
            StorageUnavailable: The mark is not written, so the blob must not be sent.
        """
        if self._ours:  # nothing reads such a mark for Event Grid's
            self._mark(begun_mark(kept.name), {"begun": _now().isoformat()})

    def finish(self, kept: Kept, sent: Sequence[Letter], *, whole: bool) -> bool:
        """Mark a blob as sent again.

        Args:
            kept: The blob.
            sent: Its dead letters that were sent now.
            whole: Whether all its dead letters have been sent by now.

        Returns:
            True.

        Raises:
            StorageUnavailable: The mark is not written, so the blob will be sent again.
        """
        now = _now()
        self._unmarked.discard(kept.name)
        said = {"sent": now.isoformat(), "members": [_digest(letter) for letter in sent]}
        self._mark(sent_mark(kept.name, now, whole=whole), said)
        return True

    def _mark(self, mark: str, said: dict[str, Any]) -> None:
        from azure.core.exceptions import ResourceExistsError
        from azure.storage.blob import ContentSettings

        with storage_errors(f"the mark {mark} cannot be written"), suppress(ResourceExistsError):
            self._container.upload_blob(
                mark,
                json.dumps(said).encode(),
                overwrite=False,
                content_settings=ContentSettings(content_type="application/json"),
            )

    def _marks(self, name: str) -> list[_Mark]:
        """Return the marks of a blob, without a request if `names` found none."""
        return [] if name in self._unmarked else self._listed(marks_of(name))[1]

    def _listed(self, prefix: str) -> tuple[dict[str, datetime], list[_Mark]]:
        """Return the blobs under a prefix with the time at which each was written, and the marks."""
        from azure.core.exceptions import ResourceNotFoundError

        letters: dict[str, datetime] = {}
        marks: list[_Mark] = []
        with storage_errors(f"the container {self.name} cannot be listed"):
            try:
                blobs: Iterable[BlobProperties] = self._container.list_blobs(name_starts_with=prefix or None)
                for blob in blobs:
                    if not blob.name.startswith(REPLAYED):
                        letters[blob.name] = blob.last_modified
                    elif read := read_sent_mark(blob.name):
                        marks.append(_Mark(*read, written=blob.last_modified))
            except ResourceNotFoundError:
                return {}, []  # the first dead letter creates the container
        return letters, marks

    def _members(self, marks: Iterable[_Mark]) -> frozenset[str]:
        """Return the digests of the dead letters that were sent without the rest of their blob."""
        found: set[str] = set()
        for mark in marks:
            name = sent_mark(mark.name, mark.sent_at, whole=False)
            with storage_errors(f"the mark {name} cannot be read"):
                said = json.loads(self._container.download_blob(name).readall())
            found.update(map(str, said["members"]))
        return frozenset(found)


def _digest(letter: Letter) -> str:
    return sha256(letter.text.encode(errors="surrogatepass")).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC)
