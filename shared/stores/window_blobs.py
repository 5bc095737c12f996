"""Windows in blobs of the app's own Storage account.

For each rule the container has these blobs:

    windows/<id>   an append blob: one line per event; sealed when the window closes
    heads/<hash>   the id of the open window of a key
    seen/<hash>    the id of an event's window

This is safe with any number of instances, and after a crash between any two steps:

* A window is created in the order blob, close message, head. Events are added only after the close is queued,
  so each event of a window will be read.
* The close seals the blob and then reads it
  (https://learn.microsoft.com/rest/api/storageservices/append-blob-seal). Storage orders seal and append: an
  event is either read by the close, or refused. A refused event opens the next window.
* An event is written under `seen` before it is appended, so a redelivery goes to the same window. If that
  window is closed without the event, the event moves to the open window, by a conditional write.

A repeated step has no effect: an event that is appended twice is read once, and a window that is closed twice
starts a run of the same id.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from shared.azure.storage_account import WINDOWS_CONTAINER, create_if_missing, storage_errors
from shared.errors import StorageUnavailable
from shared.event import Event
from shared.event.bursts import BurstKey, in_order
from shared.stores.parked import Parked
from shared.stores.parking import Parking
from shared.stores.windows import Joined, from_lines, to_line
from shared.stores.work_items import WindowClose
from shared.values.hashes import parts_hash
from shared.values.json_text import JsonObject

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

    from shared.azure.storage_account import Storage

LARGEST: Final = 64 * 1_048_576
"""Bytes of one window's blob; the next event opens another window."""
OVERDUE: Final = 120.0
"""Seconds after its end at which a window that still accepts events gets a second close message."""

_CLOSED: Final = frozenset({"BlobIsSealed", "BlobNotFound", "ContainerNotFound"})
_FULL: Final = frozenset({"BlockCountExceedsLimit", "MaxBlobSizeConditionNotMet"})
_ROUNDS: Final = 8
_REMEMBERED: Final = 1_024


@dataclass(frozen=True, slots=True)
class _Pointer:
    """The content of a small blob, with its version."""

    window: str
    etag: str


class WindowBlobs:
    """Windows in a container; safe to use from any thread, and by any number of processes.

    Args:
        storage: The app's own Storage account.
        parking: Stores the close messages.
        container: The container's name.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        storage: "Storage",
        parking: Parking,
        *,
        container: str = WINDOWS_CONTAINER,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._parking = parking
        self._container = container
        self._clock = clock
        self._lock = threading.Lock()
        self._heads: dict[str, tuple[str, float]] = {}

    def collect(self, rule: str, burst_key: BurstKey, event: Event) -> Joined:
        """Put an event into the open window of its key; see `Windows`."""
        line = to_line(event)
        with storage_errors(f"the event cannot be put into its window in the container {self._container}"):
            mark = self._marked(rule, event, self._open_window(rule, burst_key))
            for _ in range(_ROUNDS):
                if self._append(rule, mark.window, line):
                    return Joined(mark.window, was_collected=False)
                if _identity(event) in map(_identity, self._events(rule, mark.window)):
                    return Joined(mark.window, was_collected=True)
                following = self._after(rule, burst_key, mark.window)
                mark = self._moved(rule, event, mark, following)
        raise StorageUnavailable(
            f"the windows of rule {rule} close faster than an event can be put into one; deliver it again"
        )

    def close(self, rule: str, window: str) -> tuple[Event, ...]:
        """Seal a window and return its events; see `Windows`."""
        with storage_errors(f"a window cannot be closed in the container {self._container}"):
            _refused(self._blob(rule, "windows", window).seal_append_blob, _CLOSED)
            return in_order(self._events(rule, window))

    def is_kept(self, rule: str, window: str) -> bool:
        """Return whether a window's events still exist; they may be deleted some time after its close.

        Raises:
            StorageUnavailable: It cannot be looked up now.
        """
        with storage_errors(f"a window cannot be looked for in the container {self._container}"):
            return self._blob(rule, "windows", window).exists()

    def keep_conf(self, rule: str, window: str, conf: JsonObject) -> None:
        """Store a conf; see `Windows`."""
        from azure.storage.blob import ContentSettings

        with storage_errors(f"a conf cannot be stored in the container {self._container}"):
            self._blob(rule, "confs", f"{window}.json").upload_blob(
                json.dumps(conf).encode(),
                overwrite=True,
                content_settings=ContentSettings(content_type="application/json"),
            )

    def conf_url(self, rule: str, window: str) -> str:
        """Return the address of a conf; see `Windows`."""
        return f"{self._storage.address('blob').rstrip('/')}/{self._container}/{rule}/confs/{window}.json"

    # --- the open window of a key -------------------------------------------------------------------------

    def _open_window(self, rule: str, burst_key: BurstKey) -> str:
        """Return the window that should be open: from memory, from the head, or a new one."""
        name = parts_hash(burst_key.key)
        with self._lock:
            known, since = self._heads.get(f"{rule}/{name}", ("", 0.0))
        overdue = self._clock() - since > burst_key.seconds + OVERDUE
        if known and not overdue:
            return known
        head = self._read(rule, "heads", name)
        if head is None:
            return self._opened(rule, burst_key, None)
        if head.window == known:  # its close is overdue: the message may be lost
            self._queue_close(rule, burst_key, head.window, delay=0)
        return self._remember(rule, name, head.window)

    def _after(self, rule: str, burst_key: BurstKey, closed: str) -> str:
        """Return the open window after another one was closed."""
        name = parts_hash(burst_key.key)
        head = self._read(rule, "heads", name)
        if head is not None and head.window != closed:
            return self._remember(rule, name, head.window)
        return self._opened(rule, burst_key, head)

    def _opened(self, rule: str, burst_key: BurstKey, head: _Pointer | None) -> str:
        """Open a window; if another instance opened one first, return that window, and ours stays empty."""
        name, window = parts_hash(burst_key.key), uuid.uuid4().hex
        container = self._storage.container(self._container)
        create_if_missing(container.create_container, lambda: self._create(rule, window))
        self._queue_close(rule, burst_key, window, delay=burst_key.seconds)
        if not self._write(rule, "heads", name, window, over=head):
            first = self._read(rule, "heads", name)
            window = first.window if first else window
        return self._remember(rule, name, window)

    def _create(self, rule: str, window: str) -> None:
        """Create a window's blob if it does not exist.

        A lost request may take effect long after a second one has created the blob. Without the condition Put
        Blob would then empty the window and remove its seal
        (https://learn.microsoft.com/rest/api/storageservices/put-blob).
        """
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceExistsError

        blob = self._blob(rule, "windows", window)
        with suppress(ResourceExistsError):  # the id is new, so our own first request created the blob
            blob.create_append_blob(match_condition=MatchConditions.IfMissing)

    def _queue_close(self, rule: str, burst_key: BurstKey, window: str, *, delay: int) -> None:
        closing = Parked(
            work=WindowClose(rule, window, burst_key.key),
            attempt=0,
            first_seen=None,  # the age of the run counts from the close
            reason="the window is open",
        )
        self._parking.park(closing, delay)

    def _remember(self, rule: str, name: str, window: str) -> str:
        with self._lock:
            if len(self._heads) >= _REMEMBERED:
                self._heads.clear()
            self._heads[f"{rule}/{name}"] = (window, self._clock())
        return window

    # --- the window of an event ---------------------------------------------------------------------------

    def _marked(self, rule: str, event: Event, window: str) -> _Pointer:
        """Return the window of an event; put the event into `window` if it has none."""
        name = parts_hash(*_identity(event))
        while True:
            if self._write(rule, "seen", name, window, over=None):
                return _Pointer(window, "")
            if mark := self._read(rule, "seen", name):
                return mark

    def _moved(self, rule: str, event: Event, mark: _Pointer, window: str) -> _Pointer:
        """Move an event to another window; all instances that move it get the same window."""
        name = parts_hash(*_identity(event))
        there = self._read(rule, "seen", name)
        if there is None or there.window != mark.window:
            return there or self._marked(rule, event, window)
        if self._write(rule, "seen", name, window, over=there):
            return _Pointer(window, "")
        return self._marked(rule, event, window)

    # --- blobs --------------------------------------------------------------------------------------------

    def _append(self, rule: str, window: str, line: bytes) -> bool:
        """Append to a window; False if the window is closed."""
        blob = self._blob(rule, "windows", window)
        code = _refused(lambda: blob.append_block(line, maxsize_condition=LARGEST), _CLOSED | _FULL)
        if code in _FULL:  # otherwise a shorter line would fit, and an event could be in two windows
            _refused(blob.seal_append_blob, _CLOSED)
        return not code

    def _events(self, rule: str, window: str) -> list[Event]:
        """Return the events of a window in the order of arrival; none if the window was deleted."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            content: bytes = self._blob(rule, "windows", window).download_blob().readall()
        except ResourceNotFoundError:
            return []
        return from_lines(content)

    def _read(self, rule: str, folder: str, name: str) -> _Pointer | None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            download = self._blob(rule, folder, name).download_blob()
            return _Pointer(download.readall().decode(), download.properties.etag)
        except ResourceNotFoundError:
            return None

    def _write(self, rule: str, folder: str, name: str, window: str, *, over: _Pointer | None) -> bool:
        """Write a pointer if its version is still `over` (None: if it does not exist); return whether."""
        from azure.core import MatchConditions
        from azure.core.exceptions import (
            ResourceExistsError,
            ResourceModifiedError,
            ResourceNotFoundError,
        )

        only: dict[str, Any] = {"overwrite": False}
        if over is not None:
            only = {
                "overwrite": True,
                "etag": over.etag,
                "match_condition": MatchConditions.IfNotModified,
            }
        try:
            self._blob(rule, folder, name).upload_blob(window.encode(), **only)
        except (ResourceExistsError, ResourceModifiedError):
            return False
        except ResourceNotFoundError:  # deleted since it was read
            if over is None:
                raise
            return False
        return True

    def _blob(self, rule: str, folder: str, name: str) -> "BlobClient":
        return self._storage.container(self._container).get_blob_client(f"{rule}/{folder}/{name}")


def _refused(act: Callable[[], object], codes: frozenset[str]) -> str:
    """Call `act`, and return the error code if it is one of `codes`; empty if there is no error."""
    from azure.core.exceptions import HttpResponseError

    try:
        act()
    except HttpResponseError as exc:
        known = getattr(exc, "error_code", None)
        code = str(getattr(known, "value", known))  # the library has some codes as an enum, others as text
        if code not in codes:
            raise
        return code
    return ""


def _identity(event: Event) -> tuple[str, str]:
    return event.source, event.id
