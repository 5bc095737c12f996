"""`python -m tests.faults.instance_child FILE NAME`: one instance of the app, at the queues.

It is the app without the Functions runtime, so that forty of them fit on a laptop; its queues are polled as
the host polls them. It first handles an event of its own, whose id begins with NAME: forty cold starts on two
cores are no burst. At SIGTERM it writes its ledger into FILE.
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
from tests.faults.stream import REFUND, Stream, stream
from tests.faults.trial import QUICK

_THREADS = 8
_LONGEST_WAIT = 5.0
_NICE = 10
"""Forty instances have machines of their own: here they may not starve Storage and Airflow."""


def warm_up(name: str) -> Stream:
    """Return the one event that an instance begins with."""
    return stream(1, name=name, types=(REFUND,))


def main() -> None:
    """Work until SIGTERM."""
    os.nice(_NICE)
    app = App(os.environ, policy=QUICK)
    for delivery in warm_up(sys.argv[2]).deliveries:
        app.intake.receive(delivery.body)
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
