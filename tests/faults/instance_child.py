"""`python -m tests.faults.instance_child FILE`: one instance of the app, that takes events from the queues.

It is the app without the Functions runtime, so that forty of them fit on a laptop; its queues are polled as
the host polls them. At SIGTERM it writes its ledger into FILE.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

from shared.app import App
from shared.credential import azure_credential
from shared.queues import EVENT_QUEUE, PARKED_QUEUE
from shared.storage import Storage
from tests.faults.pump import Pump
from tests.faults.trial import QUICK

_THREADS = 8
_LONGEST_WAIT = 5.0


def main() -> None:
    """Work until SIGTERM."""
    app = App(os.environ, policy=QUICK)
    storage = Storage(os.environ, azure_credential)
    pumps = (
        Pump(
            storage.queue(EVENT_QUEUE),
            lambda body: app.intake.hold_back(app.intake.receive(body)),
            threads=_THREADS,
            longest_wait=_LONGEST_WAIT,
        ),
        Pump(
            storage.queue(PARKED_QUEUE),
            lambda body: app.intake.hold_back([app.intake.receive_parked(body)]),
            threads=_THREADS,
            longest_wait=_LONGEST_WAIT,
        ),
    )
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    for pump in pumps:
        pump.start()
    ended.wait()
    for pump in pumps:
        pump.stop()
    Path(sys.argv[1]).write_text(
        json.dumps({"balances": app.ledger.balances(), "counts": app.ledger.counts()})
    )


if __name__ == "__main__":
    main()
