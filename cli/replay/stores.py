"""Opens the container or the poison queues whose dead letters `updraft replay` reads."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cli.hints import or_local
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
    """The values of `--container`, `--poison` and `--account`.

    Attributes:
        container: A container of the app's account, or the https address of a container.
        poison: Whether the poison queues are read instead.
        account: The app's Storage account; None for the account in the settings.
    """

    container: str
    poison: bool
    account: str | None

    def __str__(self) -> str:
        """Return what is read, in words."""
        return "the poison queues" if self.poison else f"the container {self.container}"

    def open(self, *, sending: bool) -> "tuple[Storage, Store]":
        """Return the app's own account, and the container or the queues with the dead letters.

        Args:
            sending: Whether dead letters are sent: poison messages are hidden from the app meanwhile.

        Raises:
            SettingsError: The app's account is needed, and not named.
            UpdraftError: The named container does not exist.
            StorageUnavailable: The account cannot be asked for it.
        """
        from cli.replay.container import DeadLetterContainer
        from shared.azure.credential import azure_credential
        from shared.azure.storage_account import CONNECTION, Storage

        settings = {f"{CONNECTION}__accountName": self.account} if self.account else os.environ
        storage = Storage(settings, azure_credential)
        elsewhere = bool(urlsplit(self.container).scheme) and not self.poison
        if sending or not elsewhere:
            _check_account(settings)
        if self.poison:
            from cli.replay.poison_messages import PoisonMessages

            return storage, PoisonMessages(storage, take=sending)
        if not elsewhere:
            ours = self.container == DEAD_LETTERS_CONTAINER
            if not ours:
                _check_container(storage, self.container)
            return storage, DeadLetterContainer(storage.container(self.container), ours=ours)
        account, _, name = self.container.rstrip("/").rpartition("/")
        named = Storage({f"{CONNECTION}__blobServiceUri": account}, azure_credential)
        ours = name == DEAD_LETTERS_CONTAINER and _is_account(storage, account)
        _check_container(named, name)
        return storage, DeadLetterContainer(named.container(name), ours=ours)


def _check_account(settings: Mapping[str, str]) -> None:
    """Check that the app's account is named.

    Raises:
        SettingsError: It is not.
    """
    from shared.azure.storage_account import CONNECTION
    from shared.values.app_settings import setting

    names = [f"{CONNECTION}__{name}" for name in ("accountName", "blobServiceUri", "queueServiceUri")]
    if any(setting(settings, name) for name in names):
        return
    secret = f"; the connection string in {CONNECTION} is not used, because it holds a key"
    raise SettingsError(
        f"no Storage account is named: pass --account NAME, or set {names[0]}, with the app's Storage account"
        f"{secret if setting(settings, CONNECTION) else ''}{or_local()}"
    )


def _check_container(storage: "Storage", name: str) -> None:
    """Check that a named container exists.

    Raises:
        UpdraftError: It does not; the message lists the account's containers.
        StorageUnavailable: The account cannot be asked for it.
    """
    from shared.azure.storage_account import storage_errors

    with storage_errors(f"cannot check whether the container {name} exists"):
        if storage.container(name).exists():
            return
    try:
        known = storage.container_names()
    except StorageUnavailable:
        known = []
    there = f"; there are {', '.join(known)}" if known else ""
    raise UpdraftError(f"there is no container {name}{did_you_mean(name, known)}{there}")


def _is_account(storage: "Storage", address: str) -> bool:
    """Return whether an address is the app's own account; the app's account may be unknown."""
    with suppress(SettingsError):
        return storage.address("blob").rstrip("/").lower() == address.rstrip("/").lower()
    return False
