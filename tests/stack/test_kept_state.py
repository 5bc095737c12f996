"""The state that `make up` keeps, and that `make up ANEW=1` removes."""

import contextlib
import json
import socket
from pathlib import Path

from local.processes.ports import LOOPBACK
from local.processes.private import private_folder
from local.processes.processes import Processes
from local.servers.airflow_process import Airflow
from local.servers.azurite import Azurite
from local.stack import Stack
from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint


class Started:
    """A stack with only Storage."""

    def __init__(
        self, folder: Path, certificates: Certificates, *, keep: bool = True, anew: bool = False
    ) -> None:
        self.stack = Stack(folder, keep=keep, anew=anew)
        self.stack.processes = Processes(folder / "logs")
        self.stack.certificates = certificates
        self.azurite: Azurite = self.stack._storage()

    def __enter__(self) -> Azurite:
        self.azurite.start()
        return self.azurite

    def __exit__(self, *_: object) -> None:
        self.azurite.stop()
        self.stack.processes.close()


def queues(azurite: Azurite, identity: IdentityEndpoint) -> list[str]:
    """Return the queues of an account."""
    return [queue.name for queue in azurite.queue_service(identity).list_queues()]


def test_storage_outlives_the_stack_unless_it_begins_anew(
    tmp_path: Path, certificates: Certificates, signing_identity: IdentityEndpoint
) -> None:
    """A kept account has its queues at the next start; `anew` empties it."""
    with Started(tmp_path, certificates) as azurite:
        azurite.queue_service(signing_identity).create_queue("kept")
    with Started(tmp_path, certificates) as azurite:
        assert queues(azurite, signing_identity) == ["kept"]
    with Started(tmp_path, certificates, anew=True) as azurite:
        assert queues(azurite, signing_identity) == []
    assert (tmp_path / "storage" / "ports.json").stat().st_mode & 0o077 == 0


def test_the_demos_storage_is_new_each_time(
    tmp_path: Path, certificates: Certificates, signing_identity: IdentityEndpoint
) -> None:
    """Without `keep` the account is in memory, and the kept state has no effect."""
    with Started(tmp_path, certificates) as azurite:
        azurite.queue_service(signing_identity).create_queue("kept")
    with Started(tmp_path, certificates, keep=False) as azurite:
        assert queues(azurite, signing_identity) == []


def test_an_airflow_that_begins_anew_has_no_database(tmp_path: Path) -> None:
    """The database and the task logs are removed; the login does not change."""
    with Processes(tmp_path / "logs") as processes:
        airflow = Airflow(processes, tmp_path / "airflow")
        database = private_folder(tmp_path / "airflow" / "database")
        for kept in (database / "data" / "base", tmp_path / "airflow" / "logs" / "dag_id=x"):
            kept.mkdir(parents=True)
        (database / "database.json").write_text("{}")
        airflow.forget()
        assert list(database.iterdir()) == []
        assert not (tmp_path / "airflow" / "logs").exists()
        assert Airflow(processes, tmp_path / "airflow").passwords == airflow.passwords


def test_the_logs_of_one_earlier_run_are_kept(tmp_path: Path) -> None:
    """Only the logs of the last two starts are kept."""
    stack = Stack(tmp_path)
    for run in ("first", "second", "third"):
        stack._put_old_logs_away()
        stack.logs.mkdir()
        (stack.logs / run).touch()
    assert [file.name for file in stack.logs.iterdir()] == ["third"]
    assert [file.name for file in (tmp_path / "logs.previous").iterdir()] == ["second"]


def test_a_kept_account_takes_the_ports_that_it_had(tmp_path: Path, certificates: Certificates) -> None:
    """The next process uses the same ports, because runs in Airflow have addresses of blobs."""
    with contextlib.ExitStack() as taken:
        sockets = [taken.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(3)]
        ports = [server.getsockname()[1] for server in sockets]
    wanted = dict(zip(("blob", "queue", "table"), ports, strict=True))
    storage = private_folder(tmp_path / "storage")
    (storage / "ports.json").write_text(json.dumps(wanted))
    assert Started(tmp_path, certificates).azurite.ports == wanted
    assert Started(tmp_path, certificates, keep=False).azurite.ports != wanted
