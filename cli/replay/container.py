"""The dead letters of one blob container, for `updraft replay`: find them, read them, mark what was sent.

A letter is evidence: nothing here changes, moves or deletes one. What was sent again is known by marks, blobs
of their own that are written once (`shared/stores/dead_letter_names.py`).
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
        letters: What it holds and a replay sends, as far as it can be read.
        bad: What of it cannot be read.
        sent: What of it was sent again, while the rest was not.
        replays: When it was sent again.
        done: Whether all of it was.
    """

    name: str
    letters: Sequence[Letter] = ()
    bad: Sequence[BadLetter] = ()
    sent: Sequence[Letter] = ()
    replays: Sequence[datetime] = ()
    done: bool = False

    @property
    def problem(self) -> str:
        """Why not all of it can be read; empty where all can."""
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
            rule: Only what was given up at this rule, as far as names tell.
            since: Only what was written since then.
            replayed: Those that were sent again instead.

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
        """Return a blob and its letters; None where it is gone, or is no blob of letters.

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
        """Yield what is there of these blobs, several read at a time, in their order; raises as `read`."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for some in batched(names, _TOGETHER, strict=False):
                yield from (kept for kept in pool.map(self.read, some) if kept is not None)

    def leave(self) -> list[str]:
        """Return what else is to be said when all is done: nothing."""
        return []

    def begin(self, kept: Kept) -> None:
        """Mark a letter before it is sent again.

        The app may give the event up once more before the sending is marked as done. By this mark it knows
        that the letter which is there stands for an earlier time (`BlobDeadLetters.write`).

        Args:
            kept: The blob.

        Raises:
            StorageUnavailable: It is not marked, so it must not be sent.
        """
        if self._ours:  # Event Grid asks for no mark
            self._mark(begun_mark(kept.name), {"begun": _now().isoformat()})

    def finish(self, kept: Kept, sent: Sequence[Letter], *, whole: bool) -> bool:
        """Mark a blob as sent again.

        Args:
            kept: The blob.
            sent: Its letters that were sent now.
            whole: Whether all it holds has been sent by now.

        Returns:
            True.

        Raises:
            StorageUnavailable: It is not marked, and will be sent again.
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
        """Return the marks of a blob; Storage is not asked where `names` found none."""
        return [] if name in self._unmarked else self._listed(marks_of(name))[1]

    def _listed(self, prefix: str) -> tuple[dict[str, datetime], list[_Mark]]:
        """Return the letters, each with the time at which it was written, and the marks under a prefix."""
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
                return {}, []  # the container is made with the first letter
        return letters, marks

    def _members(self, marks: Iterable[_Mark]) -> frozenset[str]:
        """Return the digests of the letters of a blob that were sent without the rest of it."""
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
