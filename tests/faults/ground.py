"""The stand-ins for all faults, started once: Azurite, a managed identity and a Key Vault."""

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from local.processes.processes import Processes
from local.servers.azurite import Azurite
from local.stand_ins.certificates import make_certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from shared.azure.credential import azure_credential
from shared.azure.storage_account import DEAD_LETTERS_CONTAINER, Storage
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE, poison_queue

PASSWORD = "made-up-password"
"""The password of the Airflow stub's login `updraft`."""
_OF_AZURE = ("AZURE_", "WEBSITE_", "MSI_", "IDENTITY_", "IMDS_", "UPDRAFT_")


class Ground:
    """The stand-ins, as a context manager. Inside it this process's environment has only their addresses.

    Azurite writes its data to disk. In memory each message would be an extent of its own. Once a minute
    Azurite reads all extents and does not answer meanwhile: for 5 s after 2,400 messages.

    Args:
        folder: The folder for logs, certificates and the storage account.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as starting:
            self.processes = starting.enter_context(Processes(self.folder / "logs"))
            certificates = make_certificates(self.folder / "certificates")
            self.identity = starting.enter_context(IdentityEndpoint())
            self.vault = starting.enter_context(LocalKeyVault(certificates, self.identity))
            self.azurite = Azurite(self.processes, certificates, data=self.folder / "azurite")
            self.azurite.start()
            self.settings = {
                **certificates.environment(),
                **self.identity.environment(),
                **self.azurite.environment(),
                "UPDRAFT_KEY_VAULT_URI": self.vault.url,
            }
            starting.enter_context(_environment(self.settings))
            starting.enter_context(_quiet())
            self.storage = Storage(self.settings, azure_credential)
            self._cleanup = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def clear(self, password: str = PASSWORD) -> None:
        """Remove an earlier fault's data from the account, and end the faults of the stand-ins.

        Args:
            password: The password of the Airflow's login, which the vault returns from now on.
        """
        from azure.core.exceptions import ResourceNotFoundError

        self.identity.heal()
        self.vault.heal()
        self.vault.set("airflow-password", password)
        for queue in (EVENT_QUEUE, PARKED_QUEUE, poison_queue(EVENT_QUEUE), poison_queue(PARKED_QUEUE)):
            with contextlib.suppress(ResourceNotFoundError):
                self.storage.queue(queue).clear_messages()
        container = self.storage.container(DEAD_LETTERS_CONTAINER)
        if container.exists():
            for blob in container.list_blobs():
                container.delete_blob(blob.name)

    def dead_letters(self) -> list[str]:
        """Return the names of the dead letters."""
        container = self.storage.container(DEAD_LETTERS_CONTAINER)
        return [blob.name for blob in container.list_blobs()] if container.exists() else []

    def unreadable_bodies(self) -> set[str]:
        """Return the bodies in dead letters; a body may have a dead letter for each queue."""
        container = self.storage.container(DEAD_LETTERS_CONTAINER)
        letters = [json.loads(container.download_blob(name).readall()) for name in self.dead_letters()]
        bodies = [letter.get("unreadable", {}) for letter in letters]
        return {json.dumps((body.get("text"), body.get("base64"))) for body in bodies}


@contextlib.contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in before:
        if name.startswith(_OF_AZURE):
            del os.environ[name]
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Log only errors: the audit needs no other lines of thousands of deliveries."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)
