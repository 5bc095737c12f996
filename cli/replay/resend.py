"""Sends the events of dead letters again, through the app's own queues.

The app delivers them, with its identity, its limits and its counts. The event of a dead letter with a rule
goes to that rule alone; without a rule, it is a new event for all rules.

The `via` of an event must stay the same. The app believes the queue of parked deliveries, which is its own.
`updraft-events` is open to senders, and an event from there has `via: queue`. So an event goes there only if
it came by `queue` and no rule had it yet.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched
from typing import TYPE_CHECKING, Final, Protocol

from cli.output import plural
from cli.replay.container import AT_ONCE
from shared.azure.storage_account import CLAIMS_CONTAINER, WINDOWS_CONTAINER, storage_errors
from shared.errors import EventError, StorageUnavailable
from shared.event import Event
from shared.runs.direct_run import DirectRun
from shared.stores.dead_letter_reader import Letter
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE
from shared.stores.parked import Parked
from shared.stores.parking import QueueParking
from shared.stores.queue_messages import MESSAGE_LIMIT, message_size, queue_text, send_message
from shared.stores.window_blobs import WindowBlobs
from shared.stores.work_items import Resent, RuleEvent, WindowClose, Work

if TYPE_CHECKING:
    from cli.replay.container import Kept
    from shared.azure.storage_account import Storage

_TOGETHER: Final = 64


class Resender:
    """Puts events into the queues; safe to use from any thread.

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
        """Send the event of a dead letter again, and return the queue that took it.

        Args:
            letter: The dead letter.
            now: The time at which the event counts as first seen, so that its time limit starts again.

        Raises:
            EventError: It is too large for the event queue; only parked deliveries have a claim check. Or
                it closes a window that is no longer stored.
            StorageUnavailable: It was not sent.
        """
        work = _work_of(letter)
        if work is not None:
            self._check_window(work)
            self._parking.park(
                Parked(work, 1, now, f"sent again after it was given up ({letter.code})"),
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

    def _check_window(self, work: Work) -> None:
        """Refuse to close a window without its events: the app would take it for one that never had any."""
        if isinstance(work, WindowClose) and not self._windows.is_kept(work.rule, work.id):
            raise EventError(
                f"the window {work.id} of rule {work.rule} is no longer stored, so there are no events to "
                "start its run with: publish them again (updraft publish)"
            )


def _work_of(letter: Letter) -> Work | None:
    """Return what is parked for a dead letter; None if it goes back to the event queue."""
    match letter.subject:
        case DirectRun() | WindowClose() as work:
            return work
        case Event() as event if letter.rule:
            return RuleEvent(event, letter.rule)
        case subject:
            return None if subject.via == "queue" else Resent(subject)


class LetterStore(Protocol):
    """A container or the poison queues."""

    def begin(self, kept: "Kept") -> None:
        """Record that a blob is about to be sent."""

    def finish(self, kept: "Kept", sent: Sequence[Letter], *, whole: bool) -> bool:
        """Record which dead letters were sent; return whether the blob is done."""


@dataclass(slots=True)
class Report:
    """The result of sending dead letters again.

    Attributes:
        sent: How many events went to which queue.
        finished: How many blobs or messages were sent as a whole.
        failed: The blobs of which a part was not sent, each with the reason.
    """

    sent: Counter[str] = field(default_factory=Counter)
    finished: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)

    def lines(self, *, thing: str = "dead letter", finished: str = "marked as sent again") -> Iterator[str]:
        """Yield what was sent.

        Args:
            thing: The store's word for a dead letter.
            finished: The store's words for one that was sent.
        """
        for queue, count in sorted(self.sent.items()):
            yield f"{plural(count, 'event')} sent to the queue {queue}"
        yield f"{plural(self.finished, thing)} {finished}"


def resend(
    store: LetterStore,
    sender: Resender,
    blobs: Iterable["Kept"],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Report:
    """Send dead letters again, and mark each blob before and after.

    If one cannot be sent, the others of its blob are still sent.
    After a crash before the second mark, the blob counts as not sent. Its second sending ends as a duplicate
    of the run that the first one started.

    Args:
        store: The container or the poison queues.
        sender: Sends one.
        blobs: The blobs; taken some at a time, because Event Grid's may hold a megabyte each.
        now: The time of day.
    """
    report = Report()

    def one(kept: "Kept") -> tuple[Counter[str], list[str], bool]:
        queues: Counter[str] = Counter()
        sent: list[Letter] = []
        problems = [each.problem for each in kept.bad]
        try:
            if kept.letters:
                store.begin(kept)
            for letter in kept.letters:
                try:
                    queues[sender.send(letter, now())] += 1
                    sent.append(letter)
                except EventError as error:
                    problems.append(str(error))
            finished = bool(sent) and store.finish(kept, sent, whole=not problems)
        except StorageUnavailable as error:
            return queues, [*problems, str(error)], False
        return queues, problems, finished and not problems

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for some in batched(blobs, _TOGETHER, strict=False):
            for kept, (queues, problems, finished) in zip(some, pool.map(one, some), strict=True):
                report.sent += queues
                report.finished += finished
                report.failed += [(kept.name, problem) for problem in problems]
    return report
