"""The places of dead letters for `updraft replay`: a container, or the poison queues."""

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.azure.storage_account import DEAD_LETTERS_CONTAINER
from shared.errors import SettingsError, StorageUnavailable, UpdraftError
from shared.values.wording import did_you_mean

if TYPE_CHECKING:
    from cli.replay.container import DeadLetterContainer
    from cli.replay.poison_messages import PoisonMessages
    from shared.azure.storage_account import Storage

    type Store = DeadLetterContainer | PoisonMessages


@dataclass(frozen=True, slots=True)
class Where:
    """What `--container`, `--poison` and `--account` say.

    Attributes:
        container: A container of the app's account, or the https address of another one.
        poison: Whether the poison queues are meant instead.
        account: The app's Storage account; None for that of the settings.
    """

    container: str
    poison: bool
    account: str | None

    def open(self, *, take: bool) -> "tuple[Storage, Store]":
        """Return the app's own account, and the container or the queues with the letters.

        Args:
            take: Whether poison messages are taken out, so that they are hidden from the app meanwhile.

        Raises:
            SettingsError: No account is named.
            UpdraftError: A container was named, and there is none of that name.
            StorageUnavailable: The account cannot be asked for it.
        """
        from cli.replay.container import DeadLetterContainer
        from shared.azure.credential import azure_credential
        from shared.azure.storage_account import CONNECTION, Storage

        settings = {f"{CONNECTION}__accountName": self.account} if self.account else os.environ
        storage = Storage(settings, azure_credential)
        if self.poison:
            from cli.replay.poison_messages import PoisonMessages

            return storage, PoisonMessages(storage, take=take)
        if not urlsplit(self.container).scheme:
            ours = self.container == DEAD_LETTERS_CONTAINER
            if not ours:
                _check_container(storage, self.container)
            return storage, DeadLetterContainer(storage.container(self.container), ours=ours)
        account, _, name = self.container.rstrip("/").rpartition("/")
        named = Storage({f"{CONNECTION}__blobServiceUri": account}, azure_credential)
        ours = name == DEAD_LETTERS_CONTAINER and _is_account(storage, account)
        _check_container(named, name)
        return storage, DeadLetterContainer(named.container(name), ours=ours)


def _check_container(storage: "Storage", name: str) -> None:
    """Check that a container exists that was named.

    Raises:
        UpdraftError: It does not; the message lists the account's containers.
        StorageUnavailable: The account cannot be asked for it.
    """
    from shared.azure.storage_account import storage_errors

    with storage_errors(f"the container {name} cannot be looked for"):
        if storage.container(name).exists():
            return
    try:
        known = storage.container_names()
    except StorageUnavailable:
        known = []
    there = f"; there are {', '.join(known)}" if known else ""
    raise UpdraftError(f"there is no container {name}{did_you_mean(name, known)}{there}")


def _is_account(storage: "Storage", address: str) -> bool:
    """Tell whether an address is that of the app's own account, which need not be named to read another."""
    with suppress(SettingsError):
        return storage.address("blob").rstrip("/").lower() == address.rstrip("/").lower()
    return False
