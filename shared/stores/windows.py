"""Windows: the collected events of a burst. Pure, no I/O.

The first event of a key opens a window, with a new id. A message that becomes visible after the length of the
window closes it. Only Storage measures that time, so different clocks of the instances have no effect.
"""

import json
from dataclasses import dataclass
from typing import Final, Protocol

from shared.errors import StorageUnavailable
from shared.event import Event
from shared.event.bursts import BurstKey
from shared.stores.work_forms import event_members, read_event
from shared.values.json_text import JsonObject

LINE_FORMAT: Final = 1
"""The version of a line's form: another version of the app may read a window."""


@dataclass(frozen=True, slots=True)
class Joined:
    """The window that an event is in.

    Attributes:
        window: The window's id.
        was_collected: Whether the window had the event already when it closed: a redelivery.
    """

    window: str
    was_collected: bool


class Windows(Protocol):
    """The store of windows."""

    def collect(self, rule: str, burst_key: BurstKey, event: Event) -> Joined:
        """Put an event into the open window of its rule and key; an event that is in a window stays there.

        Raises:
            EventError: The event can never be stored.
            StorageUnavailable: The event is in no window; do not acknowledge it.
        """

    def close(self, rule: str, window: str) -> tuple[Event, ...]:
        """Close a window, and return its events in the order of `in_order`; may be repeated.

        Raises:
            StorageUnavailable: The window cannot be closed or read now.
        """

    def keep_conf(self, rule: str, window: str, conf: JsonObject) -> None:
        """Store the conf of a window's run at `conf_url`.

        Raises:
            StorageUnavailable: It is not stored.
        """

    def conf_url(self, rule: str, window: str) -> str:
        """Return the address of the conf of a window's run."""


def to_line(event: Event) -> bytes:
    """Return an event as one line of a window's blob.

    Raises:
        EventError: The line could not be read again, and would make the whole window unreadable.
    """
    document: JsonObject = {"updraft": LINE_FORMAT, **event_members(event)}
    try:
        line = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a surrogate pair
        line = json.dumps(document, separators=(",", ":")).encode()
    _from_line(line)
    return line + b"\n"


def from_lines(content: bytes) -> list[Event]:
    """Return the events of a window's blob, in the order of their arrival.

    Raises:
        StorageUnavailable: Another version of the app wrote a line in an unknown form.
    """
    return [_from_line(line) for line in content.splitlines() if line]


def _from_line(line: bytes) -> Event:
    kept = json.loads(line)
    if kept.get("updraft") != LINE_FORMAT:
        raise StorageUnavailable(
            f"a window's line has the format {str(kept.get('updraft'))[:20]}, and this version reads"
            f" {LINE_FORMAT}: deploy one version of the app to all instances"
        )
    return read_event(kept)
