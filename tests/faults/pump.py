"""What the Functions host does with a Storage queue, on threads of this process: receive, call, delete."""

import base64
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient

LEASE: Final = 30
"""Seconds for which a message that is worked on is hidden."""
AGAIN: Final = 1
"""Seconds until a message whose handler raised is there again."""
_IDLE: Final = 0.15


class Pump:
    """Handles a queue's messages until it is stopped; a message whose handler raises comes again.

    Args:
        queue: The queue.
        handle: What is called with each message's body.
        threads: How many messages are handled at one time.
        longest_wait: Seconds between two looks into a queue that stays empty.
    """

    def __init__(
        self,
        queue: "QueueClient",
        handle: Callable[[bytes], None],
        *,
        threads: int,
        longest_wait: float = _IDLE,
    ) -> None:
        self._queue = queue
        self._handle = handle
        self._longest_wait = longest_wait
        self._stopping = threading.Event()
        self._working = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]

    @property
    def busy(self) -> bool:
        """Whether a message is being handled."""
        return self._working > 0

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Receive no more, and wait for what is being handled."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    def _work(self) -> None:
        wait = _IDLE
        while not self._stopping.is_set():
            with self._lock:
                self._working += 1
            try:
                handled = self._one()
            finally:
                with self._lock:
                    self._working -= 1
            if handled:
                wait = _IDLE
            else:
                self._stopping.wait(wait)
                wait = min(wait * 2, self._longest_wait)

    def _one(self) -> bool:
        try:
            message = self._queue.receive_message(visibility_timeout=LEASE)
        except Exception:  # noqa: BLE001 - a queue that is not there, or an account that is down: the host polls on
            return False
        if message is None:
            return False
        try:
            self._handle(base64.b64decode(str(message.content)))
        except Exception:  # noqa: BLE001 - the host tries again, whatever it was
            # By its id: given the message itself, the client would encode its text once more.
            again = (message.id, message.pop_receipt)
            self._insist(lambda: self._queue.update_message(*again, visibility_timeout=AGAIN))
        else:
            self._insist(lambda: self._queue.delete_message(message))
        return True

    def _insist(self, call: Callable[[], Any]) -> None:
        """Try a call a few times: an account that is down for a moment must not cost a whole lease."""
        for _ in range(10):
            try:
                call()
            except Exception:  # noqa: BLE001 - in the end the message's lease runs out
                time.sleep(0.5)
            else:
                return
