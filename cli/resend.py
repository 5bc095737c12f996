"""Sends what dead letters hold again, through the app's own queues.

The app takes it from there: its identity is the one that may talk to Airflow, its limits hold, and its ledger
counts. A letter of a rule goes to that rule alone; one without a rule is a new event for all of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched
from typing import TYPE_CHECKING, Final, Protocol

from cli.dead_letter_container import AT_ONCE
from cli.output import plural
from shared.azure.storage_account import CLAIMS_CONTAINER, WINDOWS_CONTAINER, storage_errors
from shared.errors import EventError, StorageUnavailable
from shared.event import Event
from shared.stores.dead_letter_reader import Letter
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE
from shared.stores.parking import Parked, QueueParking
from shared.stores.queue_messages import MESSAGE_LIMIT, message_size, queue_text, send_message
from shared.stores.window_blobs import WindowBlobs
from shared.stores.windows import WindowClose

if TYPE_CHECKING:
    from cli.dead_letter_container import Kept
    from shared.azure.storage_account import Storage

_TOGETHER: Final = 64


class Resender:
    """Puts letters into the queues; safe to use from any thread.

    Args:
        storage: The app's own Storage account.
        parked: The queue of parked deliveries.
        events: The queue of events.
        windows: The container of windows.
        claims: The container of events that are too large for a message.
    """

    def __init__(
        self,
        storage: "Storage",
        *,
        parked: str = PARKED_QUEUE,
        events: str = EVENT_QUEUE,
        windows: str = WINDOWS_CONTAINER,
        claims: str = CLAIMS_CONTAINER,
    ) -> None:
        self._storage = storage
        self._events = events
        self._parking = QueueParking(storage, queue=parked, claims=claims)
        self._parked = parked
        self._windows = WindowBlobs(storage, self._parking, container=windows)

    def send(self, letter: Letter, now: datetime) -> str:
        """Send a letter again, and return the queue that took it.

        Args:
            letter: The letter.
            now: When the event counts as first seen, so that it has all its time again.

        Raises:
            EventError: It is too large for the event queue; only a rule's deliveries have a claim check. Or
                it closes a window that is no longer kept.
            StorageUnavailable: It was not sent.
        """
        if letter.rule and isinstance(letter.subject, Event):
            self._check_window(letter.rule, letter.subject)
            self._parking.park(
                Parked(
                    event=letter.subject,
                    rule=letter.rule,
                    attempt=1,
                    first_seen=now,
                    reason=f"sent again after it was given up ({letter.code})",
                ),
                0,
            )
            return self._parked
        *_, body = bodies = [queue_text(text) for text in letter.bodies()]
        body = next((text for text in bodies if message_size(text) <= MESSAGE_LIMIT), body)
        if (size := message_size(body)) > MESSAGE_LIMIT:
            raise EventError(
                f"it takes {size} bytes, and a message of {self._events} holds {MESSAGE_LIMIT}: "
                "publish it to the topic again (updraft publish)"
            )
        with storage_errors(f"the event cannot be sent to the queue {self._events}"):
            send_message(self._storage, self._events, body)
        return self._events

    def _check_window(self, rule: str, event: Event) -> None:
        """Refuse to close a window without its events: the app would take it for one that never had any."""
        closing = WindowClose.of(event)
        if closing is not None and not self._windows.is_kept(rule, closing.window):
            raise EventError(
                f"the window {closing.window} of rule {rule} is no longer kept, so there are no events to "
                "start its run with: publish them again (updraft publish), and delete this letter"
            )


class LetterStore(Protocol):
    """Where dead letters lie that are sent again."""

    def set_aside(self, kept: "Kept", left: Sequence[str] = ()) -> bool:
        """Take what was sent again out of the way, but for `left`; False where it stays as it is."""


@dataclass(slots=True)
class Report:
    """What became of the letters that were to be sent again.

    Attributes:
        sent: How many events went to which queue.
        moved: How many blobs or messages were set aside.
        back: Blobs whose event was given up again meanwhile, and that stay.
        failed: What was not sent, by its blob, each with the reason: it stays in its blob.
    """

    sent: Counter[str] = field(default_factory=Counter)
    moved: int = 0
    back: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def lines(self, *, thing: str = "dead letter", set_aside: str = "moved to replayed/") -> Iterator[str]:
        """Yield the report.

        Args:
            thing: What was sent again.
            set_aside: What was done with it then.
        """
        for queue, count in sorted(self.sent.items()):
            yield f"{plural(count, 'event')} sent to the queue {queue}"
        yield f"{plural(self.moved, thing)} {set_aside}"
        for name in self.back:
            yield f"{name}: sent, and given up again since then; it stays"
        for name, reason in self.failed:
            yield f"{name}: not sent: {reason}"


def resend(
    store: LetterStore,
    sender: Resender,
    blobs: Iterable["Kept"],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Report:
    """Send letters again, and set each blob aside when it was sent.

    A letter that cannot be sent does not keep its neighbours in the blob from being sent: it alone stays.
    Sending comes first: after a crash in between the letter is still there, and its second sending ends as a
    duplicate at the run that the first one started.

    Args:
        store: Where they lie.
        sender: Sends one.
        blobs: The blobs; taken some at a time, because Event Grid's may hold a megabyte each.
        now: The time of day.
    """
    report = Report()

    def one(kept: "Kept") -> tuple[Counter[str], list[str], bool]:
        sent: Counter[str] = Counter()
        left, problems = [each.text for each in kept.bad], [each.problem for each in kept.bad]
        try:
            for letter in kept.letters:
                try:
                    sent[sender.send(letter, now())] += 1
                except EventError as error:
                    left.append(letter.text)
                    problems.append(str(error))
            return sent, problems, bool(sent or not left) and store.set_aside(kept, left)
        except StorageUnavailable as error:
            return sent, [*problems, str(error)], False

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for some in batched(blobs, _TOGETHER, strict=False):
            for kept, (sent, problems, moved) in zip(some, pool.map(one, some), strict=True):
                report.sent += sent
                report.moved += moved and not problems
                report.failed += [(kept.name, problem) for problem in problems]
                if not (moved or problems):
                    report.back.append(kept.name)
    return report
