"""The places of dead letters for `updraft replay`: a container, or the poison queues."""

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.azure.storage_account import DEAD_LETTERS_CONTAINER
from shared.errors import SettingsError

if TYPE_CHECKING:
    from cli.dead_letter_container import DeadLetterContainer
    from cli.poison_messages import PoisonMessages
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
        """
        from cli.dead_letter_container import DeadLetterContainer
        from shared.azure.credential import azure_credential
        from shared.azure.storage_account import CONNECTION, Storage

        settings = {f"{CONNECTION}__accountName": self.account} if self.account else os.environ
        storage = Storage(settings, azure_credential)
        if self.poison:
            from cli.poison_messages import PoisonMessages

            return storage, PoisonMessages(storage, take=take)
        if not urlsplit(self.container).scheme:
            ours = self.container == DEAD_LETTERS_CONTAINER
            return storage, DeadLetterContainer(storage.container(self.container), ours=ours)
        account, _, name = self.container.rstrip("/").rpartition("/")
        named = Storage({f"{CONNECTION}__blobServiceUri": account}, azure_credential)
        ours = name == DEAD_LETTERS_CONTAINER and _is_account(storage, account)
        return storage, DeadLetterContainer(named.container(name), ours=ours)


def _is_account(storage: "Storage", address: str) -> bool:
    """Tell whether an address is that of the app's own account, which need not be named to read another."""
    with suppress(SettingsError):
        return storage.address("blob").rstrip("/").lower() == address.rstrip("/").lower()
    return False
