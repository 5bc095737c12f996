"""Fault 10: the storage account is down while deliveries are parked in it."""

import threading
from pathlib import Path

from tests.faults.ground import Ground
from tests.faults.stream import stream
from tests.faults.trial import chance, stubbed
from tests.faults.verdict import Verdict

_AWAY = 3.0


def storage_restarted(folder: Path, events: int) -> Verdict:
    """Airflow answers half of the requests 503, and Azurite stops in the burst and starts some seconds later.

    It is stopped with SIGTERM, because Azurite writes to its disk only every few seconds and when it is
    stopped. A SIGKILL would lose messages that it had acknowledged; the real service does not lose them.
    """
    with (
        Ground(folder) as ground,
        stubbed(ground, stream(events, name="storage")) as (trial, stub),
    ):
        stub.inject(503, times=10**9, when=chance(0.5))

        def away() -> None:
            ground.azurite.stop()
            threading.Timer(_AWAY, ground.azurite.start).start()

        trial.feed((0.4, away), (1.0, stub.heal))
        return trial.audit(parked=trial.counted("parked"))
