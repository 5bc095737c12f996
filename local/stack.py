"""Azure and Airflow on one machine: starts all services that the function app uses, and the app.

The app gets addresses and names from `Stack.environment`, as it gets application settings on Azure. It cannot
see a difference.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from azure.core.exceptions import ResourceExistsError

from local.paths import ROOT
from local.processes.private import kept_secrets, private_folder, write_private
from local.processes.processes import Processes, StackError, shown
from local.servers.airflow_auth import ADMIN, entra
from local.servers.airflow_process import Airflow, Edition, airflow_name
from local.servers.azurite import Azurite
from local.servers.functions_process import FunctionsApp, HostKind
from local.stand_ins.certificates import make_certificates
from local.stand_ins.event_grid_topic import EventGridTopic, StorageQueue, Subscription, Webhook
from local.stand_ins.identity_endpoint import Identity, IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from shared.azure.storage_account import WINDOWS_CONTAINER
from shared.stores.names import EVENT_QUEUE

STATE: Final = ROOT / ".updraft"
"""The folder for the stack's state, logs and sockets; `make clean` removes it."""
DAGS: Final = ("smoke_tests", "load_orders")
_CALLBACK_KEY: Final = "updraft-callback-key"
_GITHUB_SECRET: Final = "updraft-github-secret"  # noqa: S105 - a name


def _made_up(name: str) -> str:
    """Return a GUID that is the same at every start, so that Airflow recognizes its users."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://updraft.example/local/{name}"))


APP_SERVICE: Final = "Microsoft.Web."
"""The prefix of App Service's event types; these events go to the webhook, all others to the queue."""
APP_RESOURCE: Final = "api://updraft"
"""The Application ID URI of the function app's registration: callers request tokens for it."""
AIRFLOW_CLIENT_ID: Final = _made_up("airflow")
"""The client id of Airflow's own managed identity."""
FUNCTIONS_PORT: Final = 7071
AIRFLOW_PORT: Final = 8080

Announce = Callable[[str, str, float], None]
"""Called when a part has started, with its name, its address and the seconds since the stack's start."""


class FolderInUse(StackError):
    """Another stack runs in the folder; it keeps running."""


class Stack:
    """The whole stack, as a context manager: its end stops all parts, also after an error."""

    def __init__(
        self,
        folder: Path = STATE,
        *,
        host: HostKind = "local",
        flex: bool = False,
        keep: bool = False,
        anew: bool = False,
        every_dag: bool = False,
        own_dags: Path | None = None,
        functions_port: int = FUNCTIONS_PORT,
        airflow_port: int = AIRFLOW_PORT,
        airflow_edition: Edition = "",
        settings: Mapping[str, str] | None = None,
        announce: Announce = lambda _part, _address, _seconds: None,
    ) -> None:
        """Store the options; `start` starts the parts.

        Args:
            folder: The folder for state; only one stack at a time can use it.
            host: The program that runs the function app.
            flex: Whether each of its function groups has a process of its own, as on Flex Consumption.
            keep: Whether queues, dead letters and all other blobs remain after the stack's end; by default
                they are in memory.
            anew: Whether the start removes the state of earlier stacks, Airflow's database included.
            every_dag: Whether the app may also start runs of DAGs that are not examples.
            own_dags: A folder with further DAG files.
            functions_port: The function app's port, if it is free.
            airflow_port: Airflow's port, if it is free.
            airflow_edition: The Airflow version to run.
            settings: More application settings.
            announce: Called for each part that has started.
        """
        self.folder = folder
        self.logs = folder / "logs"
        self.own_dags = own_dags
        self._flex = flex
        self._keep = keep
        self._anew = anew
        self._every_dag = every_dag
        self._wanted = (functions_port, airflow_port)
        self._airflow_edition: Edition = airflow_edition
        self._settings = dict(settings or {})
        self._host: HostKind = host
        self._announce = announce
        self._cleanup = contextlib.ExitStack()
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start all parts, Airflow at the same time as the others, and return when events can start runs.

        Raises:
            StackError: A part did not start; the error names it and its log.
        """
        self._began = time.monotonic()
        self._claim_folder()
        self._put_old_logs_away()
        kept = kept_secrets(
            self.folder / "secrets.json",
            {name: secrets.token_urlsafe(32) for name in (_CALLBACK_KEY, _GITHUB_SECRET)},
        )
        self.callback_key, self.github_secret = kept[_CALLBACK_KEY], kept[_GITHUB_SECRET]
        self.processes = self._cleanup.enter_context(Processes(self.logs))
        self.app = FunctionsApp(
            self.processes,
            self.logs / "functions.jsonl",
            host=self._host,
            preferred_port=self._wanted[0],
            flex=self._flex,
        )
        self.identity = self._cleanup.enter_context(
            IdentityEndpoint(
                tenant_id=_made_up("tenant"), identity=Identity(_made_up("app"), _made_up("app's object"))
            )
        )
        self.certificates = make_certificates(self.folder / "certificates")
        self.azurite = self._storage()
        self.airflow = Airflow(
            self.processes,
            self.folder / airflow_name(self._airflow_edition),
            edition=self._airflow_edition,
            auth=entra(self.identity, dags=DAGS, every_dag=self._every_dag),
            own_dags=self.own_dags,
            settings=self._settings_for_reports(),
            preferred_port=self._wanted[1],
        )
        if self._anew:
            self.airflow.forget()
        with ThreadPoolExecutor(1, thread_name_prefix="airflow") as beside:
            airflow = beside.submit(self._start_airflow)
            try:
                self._start_azure(airflow)
                if self._keep:  # the app would fail to send the events in the queues
                    airflow.result()
                self._start_app()
                airflow.result()
            except BaseException:
                self.processes.close()  # so that the other thread does not wait for its time-out
                raise

    def stop(self) -> None:
        """Stop all parts, the app first; a second call has no effect."""
        if hasattr(self, "app"):
            with contextlib.suppress(StackError):
                self.app.stop()
        if hasattr(self, "airflow"):
            with contextlib.suppress(StackError):
                self.airflow.stop()
        self._cleanup.close()

    @property
    def environment(self) -> dict[str, str]:
        """The application settings: addresses and names only."""
        return {
            **self.identity.environment(),
            **self.vault.environment(),
            **self.azurite.environment(),
            "UPDRAFT_KEY_VAULT_URI": self.vault.url,
            "UPDRAFT_AIRFLOW_URL": self.airflow.url,
            "UPDRAFT_AUTHORITY": self.identity.url,
            "UPDRAFT_TENANT_ID": self.identity.tenant_id,
            "UPDRAFT_AUDIENCE": APP_RESOURCE,
            "UPDRAFT_URL": self.app.url,
            "UPDRAFT_TOPIC_ENDPOINT": self.topic.endpoint,
            "UPDRAFT_HOOKS": "acr,azure-devops,kudu",
            "UPDRAFT_GITHUB_SECRET": _GITHUB_SECRET,
            **self._settings,
        }

    def start_airflow(self) -> None:
        """Start Airflow, and return when it has read the example DAGs.

        Raises:
            StackError: Airflow did not start in time; the error has the end of its log.
        """
        self.airflow.start()
        self.airflow.wait_for_dags(*DAGS)

    def start_app(self) -> None:
        """Start the function app.

        Raises:
            StackError: The app did not start; the error has the reason.
        """
        self.app.start(self.environment)

    def _start_airflow(self) -> None:
        self.start_airflow()
        self._up("Airflow", self.airflow.url)

    def _start_azure(self, airflow: Future[None]) -> None:
        self.vault = self._cleanup.enter_context(LocalKeyVault(self.certificates, self.identity))
        self.vault.set("airflow-admin-password", self.airflow.passwords[ADMIN])
        self.vault.set(_CALLBACK_KEY, self.callback_key)
        self.vault.set(_GITHUB_SECRET, self.github_secret)
        self._up("Managed identity", self.identity.url)
        self._up("Key Vault", self.vault.url)
        self.azurite.start()
        self._up("Storage (Azurite)", self.azurite.queue_url)
        self.topic = EventGridTopic(tls=self.certificates.server_context())
        self.topic.start()
        self._cleanup.callback(self.topic.stop)
        if airflow.done():
            airflow.result()

    def _start_app(self) -> None:
        self.start_app()
        self._up("Function app", self.app.url)
        webhook = Webhook(self.app.webhook("app_service"))
        queue = StorageQueue(self.azurite.queue_service(self.identity), EVENT_QUEUE)
        with contextlib.suppress(ResourceExistsError):  # an earlier start created it
            queue.service.create_queue(EVENT_QUEUE)
        for name, destination, operator in (
            ("app-service", webhook, "StringBeginsWith"),
            ("everything-else", queue, "StringNotBeginsWith"),
        ):
            only = {"operatorType": operator, "key": "eventType", "values": [APP_SERVICE]}
            self.topic.subscribe(Subscription(name, destination, advanced_filters=(only,)))
        self._up("Event Grid topic", self.topic.endpoint)

    def _settings_for_reports(self) -> dict[str, str]:
        """Return the settings with which Airflow reports the results of runs and reads confs stored as blobs.

        A run reports with its own token or as Airflow's identity.
        """
        self.airflow_identity = self.identity.assign(
            Identity(AIRFLOW_CLIENT_ID, _made_up("airflow's object"))
        )
        return {
            **self.identity.environment(),
            **self.certificates.environment(),
            "AZURE_CLIENT_ID": AIRFLOW_CLIENT_ID,
            "AIRFLOW__UPDRAFT__CALLBACK_SCOPE": f"{APP_RESOURCE}/.default",
            "AIRFLOW__UPDRAFT__CALLBACK_URLS": f"{self.app.url}/api/outcomes",
            "AIRFLOW__UPDRAFT__WINDOWS_URLS": f"{self.azurite.blob_url}/{WINDOWS_CONTAINER}",
        }

    def _storage(self) -> Azurite:
        """Return the storage account; with `keep` it has the same address at every start.

        A run that waits in Airflow may have a conf with the address of a blob.
        """
        if not self._keep:
            return Azurite(self.processes, self.certificates)
        if self._anew:
            shutil.rmtree(self.folder / "storage", ignore_errors=True)
        folder = private_folder(self.folder / "storage")
        file = folder / "ports.json"
        ports = json.loads(file.read_text()) if file.exists() else {}
        azurite = Azurite(self.processes, self.certificates, data=folder, preferred_ports=ports)
        write_private(file, json.dumps(azurite.ports))
        return azurite

    def _put_old_logs_away(self) -> None:
        """Keep the logs of the last run, and remove older ones."""
        previous = self.folder / "logs.previous"
        if self.logs.exists():
            shutil.rmtree(previous, ignore_errors=True)
            self.logs.rename(previous)

    def _up(self, part: str, address: str) -> None:
        self._announce(part, address, time.monotonic() - self._began)

    def _claim_folder(self) -> None:
        """Lock the folder: two stacks on one database would end each other's runs."""
        private_folder(self.folder)
        lock = self._cleanup.enter_context((self.folder / "lock").open("a+"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise FolderInUse(
                "stack",
                f"{shown(self.folder)} is in use by process {lock.read().strip()}; stop that process first",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
