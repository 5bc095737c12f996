"""One instance of the app, as far as its limiter goes: threads that start runs as fast as they may.

`python -m tests.support.permit_instance EVENTS` sends until all are sent or five minutes are over, waits for
the permits to be given back, and prints `{"sent": …}`.
"""

import json
import os
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from local.processes import default_signals
from shared.admission.limiter import SharedLimiter
from shared.admission.permit_blobs import PermitBlobs, permits_of
from shared.admission.permits import Permits
from shared.azure.credential import azure_credential
from shared.azure.storage_account import Storage
from shared.runs.request import RunRequest
from tests.support.delivery import client_of

THREADS = 8
SECONDS = 300.0


def main(events: int) -> None:
    """Send, and report."""
    places = int(os.environ["PLACES"])
    store = PermitBlobs(
        lambda: Storage(os.environ, azure_credential).address("blob"),
        azure_credential,
        name=permits_of("https://airflow.contoso.example"),
        places=places,
        container=os.environ["CONTAINER"],
        lease_seconds=int(os.environ.get("LEASE", "60")),
    )
    limiter = SharedLimiter("airflow", Permits(places), store, most=places)
    client = client_of(os.environ["AIRFLOW"], read_timeout=10.0)
    until = time.monotonic() + SECONDS

    def send(number: int) -> int:
        rule = f"rule-{number % 3}"
        while time.monotonic() < until:
            if not limiter.enter(rule, wait=1.0):
                continue
            request = RunRequest(rule, "airflow", "smoke_tests", f"r__{uuid.uuid4().hex}", {}, "a test")
            answer = client.start_run(request)
            healthy = answer.status == 200
            limiter.leave(rule, seconds=answer.seconds, healthy=healthy)
            return int(healthy)
        return 0

    with ThreadPoolExecutor(THREADS) as pool:
        sent = sum(pool.map(send, range(events)))
    for thread in threading.enumerate():
        if thread.name == "permits-airflow":
            thread.join(120)
    print(json.dumps({"sent": sent}))  # noqa: T201 - its report


if __name__ == "__main__":
    default_signals.restore()
    main(int(sys.argv[1]))
