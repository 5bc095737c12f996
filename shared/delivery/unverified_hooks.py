"""Webhook deliveries whose signature cannot be verified yet.

GitHub sends a delivery once. So a delivery is parked, and not refused, while the secret cannot be read. Its
body is not read before the signature is verified. If the signature is wrong, the dead letter does not have
the body.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from shared.backoff import Backoff
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.errors import ConfigurationError, KeysUnavailable
from shared.event.model import Unreadable
from shared.event.via import HOOK_VIAS
from shared.stores.parked import Parked

if TYPE_CHECKING:
    from shared.codes import Code
    from shared.delivery.closing import Closing
    from shared.stores.parking import Parking
    from shared.stores.work_items import UnverifiedHook

MOST: Final = 100
"""Unverified deliveries that one process parks within `WITHIN` seconds.

This limits the messages, and blobs of 1 MiB, that a sender with the function key and no secret can cause.
"""
WITHIN: Final = 600.0
"""Seconds."""
LONGEST_WAIT: Final = 86_400.0
"""Seconds after which an unverified delivery becomes a dead letter."""
_BACKOFF: Final = Backoff(first=10.0, longest=600.0)
_BAD_SIGNATURE: Final = "BadSignature"
_UNVERIFIED: Final = "SignatureUnverified"


class UnverifiedHooks:
    """Parks unverified deliveries, and verifies them later; safe to use from any thread.

    Args:
        parking: Stores parked deliveries.
        closing: Begins and ends deliveries.
        verify: Returns whether the signature of a delivery is valid; gets the time of arrival. Raises
            `KeysUnavailable` or `SettingsError` if it cannot verify.
        now: The time of day, with a time zone.
        monotonic: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        parking: "Parking",
        closing: "Closing",
        verify: "Callable[[UnverifiedHook, datetime], bool]",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parking = parking
        self._closing = closing
        self._verify = verify
        self._now = now
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._taken: deque[float] = deque(maxlen=MOST)

    def take_in(self, hook: "UnverifiedHook", *, first_seen: datetime, delay: float) -> Outcome | None:
        """Park a new delivery; return None if this process has parked too many of them.

        Args:
            hook: The delivery.
            first_seen: When it arrived, with a time zone.
            delay: Seconds until it is verified.

        Raises:
            StorageUnavailable: It is not parked; answer the sender with an error.
        """
        with self._lock:
            moment = self._monotonic()
            if len(self._taken) == MOST and moment - self._taken[0] < WITHIN:
                return None
            self._taken.append(moment)
        return self._park(Parked(hook, 0, first_seen, "its signature cannot be verified yet"), hook, delay)

    def decide(self, parked: Parked, hook: "UnverifiedHook") -> Outcome | None:
        """Verify a parked delivery.

        Args:
            parked: The parked message.
            hook: The delivery.

        Returns:
            None if the signature is valid: handle the delivery now. Otherwise the outcome: parked or
            rejected.

        Raises:
            StorageUnavailable: The delivery could be neither parked again nor rejected.
        """
        now = self._now()
        first_seen = parked.first_seen or now
        try:
            if self._verify(hook, first_seen):
                return None
        except (KeysUnavailable, ConfigurationError) as error:
            if (now - first_seen).total_seconds() >= LONGEST_WAIT:
                return self._reject(
                    parked, hook, _UNVERIFIED, f"its signature could not be verified for a day: {error}"
                )
            at_least = error.retry_after if isinstance(error, KeysUnavailable) else 0.0
            again = replace(parked, waits=parked.waits + 1, claim=None, reason=str(error))
            return self._park(again, hook, _BACKOFF.delay(again.waits, at_least=at_least))
        return self._reject(parked, hook, _BAD_SIGNATURE, "its signature does not match this app's secret")

    def _park(self, parked: Parked, hook: "UnverifiedHook", delay: float) -> Outcome:
        with self._closing.delivery():
            self._parking.park(parked, delay)
            return self._closing.end(
                Outcome(
                    OutcomeKind.PARKED,
                    code=_UNVERIFIED,
                    reason=parked.reason,
                    via=HOOK_VIAS[hook.hook],
                    attempt=parked.waits + 1,
                    retry_in=delay,
                    waits=parked.waits,
                    cause=_UNVERIFIED,
                    is_repeat=parked.waits > 0,
                )
            )

    def _reject(self, parked: Parked, hook: "UnverifiedHook", code: "Code", reason: str) -> Outcome:
        """Dead-letter a delivery without its body, which is not trusted."""
        raw = f"The body of {len(hook.body):,} bytes was not stored. Its SHA-256 is {hook.digest}."
        subject = Unreadable(f"a {hook.hook} webhook: {reason}", raw, via=HOOK_VIAS[hook.hook])
        return self._closing.keep(
            subject, code, reason, attempts=parked.waits + 1, first_seen=parked.first_seen
        )
