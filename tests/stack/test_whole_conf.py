"""A claim check for a large conf, from the app's container to a task, on a real Azurite."""

import json
import os
import uuid

import pytest

from local.paths import ROOT
from local.processes import programs
from shared.azure.storage_account import WINDOWS_CONTAINER, Storage
from shared.runs.claim_check import claim_check
from shared.stores.window_blobs import WindowBlobs
from shared.values.json_text import JsonObject
from tests.support.in_memory import InMemoryParking

_READ = (
    "import json, sys; from updraft_airflow.whole_conf import whole_conf;"
    " print(json.dumps(whole_conf(json.loads(sys.argv[1]))))"
)


def read_by_a_task(conf: JsonObject, windows_urls: str) -> tuple[JsonObject | None, str]:
    """Complete a conf as a task does, with Airflow's Python; return the conf and the messages."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "for_airflow" / "src"),
        "AIRFLOW_HOME": str(ROOT / ".updraft" / "tests" / "whole-conf"),
        "AIRFLOW__UPDRAFT__WINDOWS_URLS": windows_urls,
    }
    python = ROOT / ".venv-airflow" / "bin" / "python"
    done = programs.run([python, "-c", _READ, json.dumps(conf)], env=environment)
    last = (done.stdout.strip().splitlines() or [""])[-1]
    return (json.loads(last) if done.returncode == 0 else None), done.stderr


@pytest.mark.slow
def test_a_task_reads_what_the_app_kept(storage: Storage, prefix: str) -> None:
    """The task reads the conf with its own identity if the container is listed; otherwise it logs a line."""
    container = f"{prefix}-{WINDOWS_CONTAINER}"
    windows = WindowBlobs(storage, InMemoryParking(), container=container)
    window = uuid.uuid4().hex
    storage.container(container).create_container()
    whole: JsonObject = {"site": "shop", "events": ["x" * 60_000], "_updraft": {"rule": "burst"}}
    sent, kept = claim_check(whole, windows.conf_url("burst", window))
    assert kept is not None
    windows.keep_conf("burst", window, kept)
    url = f"{storage.address('blob')}/{container}"

    read, logged = read_by_a_task(sent, f"https://contoso.blob.core.windows.net/updraft-windows, {url}")
    assert read is not None, logged
    assert read == sent | {"events": whole["events"]}

    refused, logged = read_by_a_task(sent, "")
    assert refused is None
    assert f"windows_urls = {url}" in logged
