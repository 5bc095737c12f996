"""`python -m bench.timed_out`: how many requests that time out have created their run all the same.

A real Airflow gets 96 requests for a run, 32 at a time, each with a read timeout of 10 s. A stock Airflow
hangs at about 24 requests in flight, so its API server is restarted before the runs are counted. This takes
five minutes.
"""

import http.client
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from json import dumps
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from local.processes import default_signals
from local.processes.processes import interruptible
from local.servers.airflow_auth import ADMIN
from tests.faults.ground import Ground
from tests.faults.real import RealAirflow, RealAirflows
from tests.faults.trial import DAGS

REQUESTS: Final = 96
AT_ONCE: Final = 32
TIMEOUT: Final = 10.0
"""Seconds."""
SETTLING: Final = 120.0
"""Seconds that the API server has for the requests that timed out."""
CONF: Final = {"padding": "x" * 400}


class Client(threading.local):
    """One connection for each thread; it stays open, so that 32 requests reach Airflow at the same time."""

    connection: http.client.HTTPConnection | None = None


def created(client: Client, airflow: RealAirflow, token: str, number: int) -> bool | None:
    """Ask for one run; returns None where the request timed out, and else whether Airflow created the run."""
    body = dumps({"dag_run_id": f"timed-out-{number}", "logical_date": None, "conf": CONF})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        if client.connection is None:
            address = urlsplit(airflow.url)
            client.connection = http.client.HTTPConnection(address.netloc, timeout=TIMEOUT)
        client.connection.request("POST", f"/api/v2/dags/{DAGS[0]}/dagRuns", body, headers)
        with client.connection.getresponse() as answer:
            answer.read()
            return answer.status == HTTPStatus.OK
    except TimeoutError:
        client.connection = None
        return None


def runs_of(airflow: RealAirflow) -> set[str]:
    """Return the ids of the runs that there are."""
    page = airflow.call("GET", f"/api/v2/dags/{DAGS[0]}/dagRuns?limit={REQUESTS}", token=airflow.token(ADMIN))
    return {run["dag_run_id"] for run in page["dag_runs"]}


def measure() -> tuple[int, int]:
    """Return how many requests timed out, and how many of these had created their run."""
    with (
        tempfile.TemporaryDirectory(prefix="updraft-timed-out-") as folder,
        Ground(Path(folder)) as ground,
        RealAirflows(ground) as airflows,
    ):
        airflow = airflows.on("postgres")
        token = airflow.token(ADMIN)
        client = Client()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda number: created(client, airflow, token, number), range(REQUESTS)))
        time.sleep(SETTLING)
        airflow.kill_api()
        airflow.start_api()
        airflow.wait_for_api()
        there = runs_of(airflow)
    timed_out = [number for number, answer in enumerate(answers) if answer is None]
    return len(timed_out), sum(f"timed-out-{number}" in there for number in timed_out)


if __name__ == "__main__":
    default_signals.restore()
    with interruptible():
        timed_out, there = measure()
    sys.stdout.write(
        f"{REQUESTS} requests for a run, {AT_ONCE} at a time: "
        f"{timed_out} timed out after {TIMEOUT:.0f} s, and {there} of these had created their run\n"
    )
