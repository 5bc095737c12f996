"""Handles a Storage queue as the Functions host does, on threads of this process: receive, call, delete."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient, QueueMessage

LEASE: Final = 30
"""Seconds for which a message is hidden while it is handled; short, because a fault may kill the host."""
HOST_LEASE: Final = 600
"""The same value as in the Functions host."""
AGAIN: Final = 1
"""Seconds until a message whose handler raised is visible again."""
_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 0.4
_LARGEST_BATCH: Final = 32
_PATIENCE: Final = 100
"""Seconds that the host waits for an answer; the messages of a lost answer are hidden, too."""


class Pump:
    """Handles a queue's messages until it is stopped; a message whose handler raises is handled again.

    One thread fetches messages, as the host's listener does: a batch when there is room for half of one. It
    polls an empty queue less and less often.

    Args:
        queue: The queue.
        handle: Called with each message's body.
        threads: The number of messages in one fetch.
        threshold: The most messages in work at which more are fetched; half of `threads` by default, as in
            the host.
        longest_wait: The most seconds between two polls of an empty queue.
        lease: Seconds for which a message is hidden while it is handled.
    """

    def __init__(
        self,
        queue: "QueueClient",
        handle: Callable[[bytes], None],
        *,
        threads: int,
        threshold: int | None = None,
        longest_wait: float = _LONGEST_WAIT,
        lease: int = LEASE,
    ) -> None:
        self._queue = queue
        self._handle = handle
        self._batch = min(threads, _LARGEST_BATCH)
        self._threshold = self._batch // 2 if threshold is None else threshold
        self._longest_wait = longest_wait
        self._lease = lease
        self._stopping = threading.Event()
        self._handling = ThreadPoolExecutor(self._batch + self._threshold)
        self._fetching = threading.Thread(target=self._fetch, daemon=True)
        self._looking = False
        self._working: set[Future[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether a message is being fetched or handled."""
        return self._looking or any(not one.done() for one in tuple(self._working))

    def start(self) -> None:
        """Begin."""
        self._fetching.start()

    def stop(self) -> None:
        """Receive no more messages, and wait for those in work."""
        self._stopping.set()
        self._fetching.join(30)
        self._handling.shutdown()

    def _fetch(self) -> None:
        pause = _FIRST_WAIT
        while not self._stopping.is_set():
            working = {one for one in self._working if not one.done()}
            if len(working) > self._threshold:
                wait(working, return_when=FIRST_COMPLETED)
                continue
            self._looking = True
            messages = self._messages()
            self._working = working | {self._handling.submit(self._one, message) for message in messages}
            self._looking = False
            if messages:
                pause = _FIRST_WAIT
            else:
                self._stopping.wait(pause)
                pause = min(pause * 2, self._longest_wait)

    def _messages(self) -> "list[QueueMessage]":
        many = self._batch
        try:
            return list(
                self._queue.receive_messages(
                    messages_per_page=many,
                    max_messages=many,
                    visibility_timeout=self._lease,
                    read_timeout=_PATIENCE,
                )
            )
        except Exception:  # noqa: BLE001 - a queue that is not there, or an account that is down: the host polls on
            return []

    def _one(self, message: "QueueMessage") -> None:
        try:
            self._handle((message.content or "").encode())
        except Exception:  # noqa: BLE001 - the host tries again, whatever it was
            # With the message instead of its id, the client would send the text once more.
            again = (message.id, message.pop_receipt)
            self._insist(lambda: self._queue.update_message(*again, visibility_timeout=AGAIN))
        else:
            self._insist(lambda: self._queue.delete_message(message))

    def _insist(self, call: Callable[[], Any]) -> None:
        """Try a call a few times, so that a short outage of the account does not cost a whole lease."""
        for _ in range(10):
            try:
                call()
            except Exception:  # noqa: BLE001 - in the end the message's lease runs out
                time.sleep(0.5)
            else:
                return
