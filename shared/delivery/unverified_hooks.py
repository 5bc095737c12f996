"""Deliveries of hooks whose signature cannot be verified yet: kept, and decided when the key is there.

GitHub sends a delivery once. So one that may be genuine is not refused while the secret may not be read
again, or cannot be read: it is parked as it came. Nothing of it is read or started before its signature is
verified. If it turns out to be nobody's, it ends as rejected, and its body is not kept.
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
from shared.stores.parked import Parked

if TYPE_CHECKING:
    from shared.codes import Code
    from shared.delivery.closing import Closing
    from shared.stores.parking import Parking
    from shared.stores.work_items import UnverifiedHook

MOST: Final = 100
"""Deliveries that one process takes in unverified within `WITHIN`: who has the function's key and no secret
can cause as many messages, and blobs of 1 MiB, and no more."""
WITHIN: Final = 600.0
"""Seconds."""
LONGEST_WAIT: Final = 86_400.0
"""Seconds after which a delivery that could not be verified is given up."""
_BACKOFF: Final = Backoff(first=10.0, longest=600.0)
_BAD_SIGNATURE: Final = "BadSignature"
_UNVERIFIED: Final = "SignatureUnverified"


class UnverifiedHooks:
    """Keeps such deliveries and decides about them; safe to use from any thread.

    Args:
        parking: Where they wait.
        closing: Ends deliveries.
        verify: Tells whether the signature of a delivery, which came at a time, is good. Raises
            `KeysUnavailable` or `SettingsError` where that cannot be said.
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
        """Park a delivery that has just come; None where this process has taken in as many as it may.

        Args:
            hook: The delivery.
            first_seen: When it came, with a time zone.
            delay: Seconds until it is verified.

        Raises:
            StorageUnavailable: It is not kept; the sender must hear that.
        """
        with self._lock:
            moment = self._monotonic()
            if len(self._taken) == MOST and moment - self._taken[0] < WITHIN:
                return None
            self._taken.append(moment)
        return self._park(Parked(hook, 0, first_seen, "its signature cannot be verified yet"), delay)

    def decide(self, parked: Parked, hook: "UnverifiedHook") -> Outcome | None:
        """Verify a delivery that has waited.

        Args:
            parked: How it waited.
            hook: The delivery.

        Returns:
            None where it is verified, and is now to be handled. Else how this try ended: it is parked again,
            or rejected.

        Raises:
            StorageUnavailable: It could be neither parked again nor rejected.
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
            wish = error.retry_after if isinstance(error, KeysUnavailable) else 0.0
            again = replace(parked, waits=parked.waits + 1, claim=None, reason=str(error))
            return self._park(again, _BACKOFF.delay(again.waits, at_least=wish))
        return self._reject(parked, hook, _BAD_SIGNATURE, "its signature is not one of this app's secret")

    def _park(self, parked: Parked, delay: float) -> Outcome:
        with self._closing.delivery():
            self._parking.park(parked, delay)
            return self._closing.end(
                Outcome(
                    OutcomeKind.PARKED,
                    code=_UNVERIFIED,
                    reason=parked.reason,
                    attempt=parked.waits + 1,
                    retry_in=delay,
                    waits=parked.waits,
                    cause=_UNVERIFIED,
                    is_repeat=parked.waits > 0,
                )
            )

    def _reject(self, parked: Parked, hook: "UnverifiedHook", code: "Code", reason: str) -> Outcome:
        """End a delivery without its body, which may hold anything."""
        raw = f"A body of {len(hook.body):,} bytes was not kept. Its SHA-256 is {hook.digest}."
        subject = Unreadable(f"a hook of {hook.hook}: {reason}", raw)
        return self._closing.keep(
            subject, code, reason, attempts=parked.waits + 1, first_seen=parked.first_seen
        )
