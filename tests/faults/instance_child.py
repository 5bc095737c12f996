"""`python -m tests.faults.instance_child FILE NAME`: one instance of the app, which polls the queues.

The process has no Functions runtime, so that forty of them fit on a laptop. It polls its queues as the host
does. It first handles an event of its own, whose id begins with NAME, so that the burst does not include its
cold start. At SIGTERM it writes its counts into FILE.
"""

import json
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path

from local.functions_host.settings import read_host_settings
from local.processes import default_signals
from shared.app import App
from shared.azure.credential import azure_credential
from shared.azure.storage_account import Storage
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE
from tests.faults.pump import HOST_LEASE, Pump
from tests.faults.stream import REFUND, Stream, stream
from tests.support.paths import ROOT

_NICE = 19
"""Forty instances on one machine must leave processor time for Storage and Airflow."""


def warm_up(name: str) -> Stream:
    """Return the first event of an instance."""
    return stream(1, name=name, types=(REFUND,))


def main() -> None:
    """Work until SIGTERM."""
    os.nice(_NICE)
    app = App(os.environ)
    for delivery in warm_up(sys.argv[2]).deliveries:
        app.intake.receive(delivery.body)
    storage = Storage(os.environ, azure_credential)
    host = read_host_settings(ROOT).queues
    as_the_host = partial(
        Pump,
        threads=host.batch_size,
        threshold=host.new_batch_threshold,
        longest_wait=host.max_polling_interval,
        lease=HOST_LEASE,
    )
    pumps = (
        as_the_host(storage.queue(EVENT_QUEUE), lambda body: app.queues.receive_event(body, None)),
        as_the_host(storage.queue(PARKED_QUEUE), lambda body: app.queues.receive_parked(body, None)),
    )
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    for pump in pumps:
        pump.start()
    ended.wait()
    for pump in pumps:
        pump.stop()
    Path(sys.argv[1]).write_text(
        json.dumps({"balances": app.outcome_counts.balances(), "counts": app.outcome_counts.by_rule()})
    )


if __name__ == "__main__":
    default_signals.restore()
    main()
