"""Sends what dead letters hold again, through the app's own queues.

The app takes it from there: its identity is the one that may talk to Airflow, its limits hold, and it counts
what happens. A letter of a rule goes to that rule alone; one without a rule is a new event for all of them.

How an event came (`via`) has to survive that. The queue of parked deliveries is the app's own, and believed.
`updraft-events` is open to senders, and what comes from there came by `queue`. So a letter goes back there
only where its event came by `queue` and no rule had it yet.
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
            EventError: It is too large for the event queue; only parked deliveries have a claim check. Or
                it closes a window that is no longer kept.
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
                f"the window {work.id} of rule {work.rule} is no longer kept, so there are no events to "
                "start its run with: publish them again (updraft publish)"
            )


def _work_of(letter: Letter) -> Work | None:
    """Return what is parked for a letter; None where it goes back to the event queue."""
    match letter.subject:
        case DirectRun() | WindowClose() as work:
            return work
        case Event() as event if letter.rule:
            return RuleEvent(event, letter.rule)
        case subject:
            return None if subject.via == "queue" else Resent(subject)


class LetterStore(Protocol):
    """Where dead letters lie that are sent again."""

    def begin(self, kept: "Kept") -> None:
        """Note that what `kept` holds is about to be sent."""

    def finish(self, kept: "Kept", sent: Sequence[Letter], *, whole: bool) -> bool:
        """Note which letters were sent; False where what was sent in part has to be sent as a whole again."""


@dataclass(slots=True)
class Report:
    """What was done with the letters that were to be sent again.

    Attributes:
        sent: How many events went to which queue.
        finished: How many blobs or messages were sent whole.
        failed: What was not sent, by its blob, each with the reason.
    """

    sent: Counter[str] = field(default_factory=Counter)
    finished: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)

    def lines(self, *, thing: str = "dead letter", finished: str = "marked as sent again") -> Iterator[str]:
        """Yield what was sent.

        Args:
            thing: What was sent again.
            finished: What was done with it then.
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
    """Send letters again, and mark each blob before and after.

    A letter that cannot be sent does not keep its neighbours in the blob from being sent.
    After a crash before the second mark the letter counts as not sent, and its second sending ends as a
    duplicate at the run that the first one started.

    Args:
        store: Where they lie.
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
