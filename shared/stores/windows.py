"""Windows: what a burst of events is collected in, and the run that has all of them. Pure, no I/O.

A window has no place on any clock. It is opened by the first event of its key that finds none open, under an
id of its own, and closed by a message that becomes visible one window's length later; the queue's service
alone counts that time. So instances whose clocks disagree agree on windows all the same.
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
"""The version of a line's form; a window may be read by another version of the app than wrote it."""


@dataclass(frozen=True, slots=True)
class Joined:
    """The window that an event is in.

    Attributes:
        window: The window's id.
        again: Whether it was in there already when the window closed: this was a redelivery.
    """

    window: str
    was_collected: bool


class Windows(Protocol):
    """Where bursts are collected."""

    def collect(self, rule: str, burst_key: BurstKey, event: Event) -> Joined:
        """Put an event into the open window of its rule and key; one that is in a window stays there.

        Raises:
            EventError: It cannot be kept, and never will.
            StorageUnavailable: It is in none; the event must not be acknowledged.
        """

    def close(self, rule: str, window: str) -> tuple[Event, ...]:
        """Let nothing more into a window, and return its events as `in_order` does; harmless when repeated.

        Raises:
            StorageUnavailable: It cannot be closed, or not be read, now.
        """

    def keep_conf(self, rule: str, window: str, conf: JsonObject) -> None:
        """Keep the conf of a window's run where `conf_url` says.

        Raises:
            StorageUnavailable: It is not kept.
        """

    def conf_url(self, rule: str, window: str) -> str:
        """Return the address at which `keep_conf` keeps a conf."""


def to_line(event: Event) -> bytes:
    """Return an event as one line of a window's blob.

    Raises:
        EventError: It could not be read back, and would stand in the way of the whole window.
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
        StorageUnavailable: Another version of the app wrote one, in a form that this one does not know.
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
