from collections.abc import Callable

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.azure.credential import azure_credential
from shared.azure.storage_account import Storage, create_if_missing, storage_errors
from shared.errors import SettingsError, StorageUnavailable


def storage_at(**settings: str) -> Storage:
    """Return a Storage with made-up settings."""
    return Storage(
        {f"AzureWebJobsStorage{name}": value for name, value in settings.items()}, azure_credential
    )


def test_the_account_is_found_by_its_name() -> None:
    """An account's name is enough on Azure; an address has priority."""
    named = storage_at(__accountName="contoso")
    assert named.address("queue") == "https://contoso.queue.core.windows.net"
    both = storage_at(__accountName="contoso", __blobServiceUri="https://127.0.0.1:1/dev ")
    assert (both.address("blob"), both.address("queue")) == (
        "https://127.0.0.1:1/dev",
        "https://contoso.queue.core.windows.net",
    )


def test_an_address_is_read_as_it_was_meant() -> None:
    """Line ends and blanks of a pasted setting are not part of the account's name or address."""
    pasted = storage_at(__accountName="\ufeffcontoso\r\n", __queueServiceUri=" http://azurite:1/dev\n")
    assert pasted.address("blob") == "https://contoso.blob.core.windows.net"
    assert pasted.address("queue") == "http://azurite:1/dev"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"__accountName": "con toso"}, "__accountName` holds a blank"),
        ({"__queueServiceUri": "https://con\u200btoso.example"}, "__queueServiceUri` holds U\\+200B"),
        ({"__queueServiceUri": "contoso"}, "__queueServiceUri` is not an address"),
    ],
)
def test_what_is_not_an_address_is_named(settings: dict[str, str], says: str) -> None:
    """An invalid setting is refused by its name, without a request."""
    with pytest.raises(SettingsError, match=says):
        storage_at(**settings).address("queue")


def test_a_missing_account_is_told() -> None:
    """Without an address the error names the settings, and does not show a connection string."""
    with pytest.raises(SettingsError, match=r"__queueServiceUri.*__accountName") as caught:
        storage_at(**{"": "AccountKey=made-up-key"}).queue("q")
    assert "made-up-key" not in str(caught.value)


def test_clients_are_made_once(identity: IdentityEndpoint) -> None:
    """A service's client, with its connections, is shared by all queues, and by all containers."""
    assert identity.url
    storage = storage_at(__accountName="contoso")
    first, second = storage.queue("one"), storage.queue("two")
    assert (first.queue_name, second.queue_name) == ("one", "two")
    assert storage._queues is not None
    queues, _ = storage._queues, storage.container("c")
    blobs = storage._blobs
    storage.queue("three")
    storage.container("d")
    assert storage._queues is queues
    assert storage._blobs is blobs


@pytest.mark.parametrize(
    "error", [HttpResponseError("no"), ValueError("Expecting value: line 1 column 1 (char 0)")]
)
def test_every_error_of_the_libraries_becomes_one(error: Exception) -> None:
    """Every error of the libraries names the failed action, and has its cause."""

    def fail() -> None:
        with storage_errors("it cannot be done"):
            raise error

    with pytest.raises(StorageUnavailable, match=r"^it cannot be done") as caught:
        fail()
    assert caught.value.__cause__ is error


def test_our_own_mistakes_are_not_hidden() -> None:
    """Any other error is not changed."""

    def fail() -> None:
        with storage_errors("it cannot be done"):
            raise TypeError("a mistake")

    with pytest.raises(TypeError):
        fail()


def steps(*results: Exception | None) -> Callable[[], None]:
    """Return a call with these results, one after the other."""
    left = list(results)

    def call() -> None:
        if result := left.pop(0):
            raise result

    return call


def test_what_exists_costs_no_extra_call() -> None:
    """An existing container is not created."""
    create_if_missing(steps(), steps(None))


def test_what_is_missing_is_made_and_tried_again() -> None:
    """A missing container is created, also if another instance was faster."""
    create_if_missing(steps(None), steps(ResourceNotFoundError(), None))
    create_if_missing(steps(ResourceExistsError()), steps(ResourceNotFoundError(), None))


def test_what_stays_missing_is_told() -> None:
    """There is only one second try."""
    with pytest.raises(ResourceNotFoundError):
        create_if_missing(steps(None), steps(ResourceNotFoundError(), ResourceNotFoundError()))


def test_an_account_that_is_down_is_told_in_time(
    identity: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that does not answer is one error after two tries."""
    assert identity.url
    storage = storage_at(__queueServiceUri="https://127.0.0.1:9/dev")
    with pytest.raises(StorageUnavailable), storage_errors("it cannot be done"):
        storage.queue("q").send_message("x")
