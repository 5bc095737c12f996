"""Dead letters on real Storage."""

import json
from datetime import timedelta

from shared.azure.storage_account import Storage
from shared.stores.dead_letters import BlobDeadLetters
from tests.support.clocks import SEEN
from tests.support.dead_letters import letter
from tests.support.delivery import event


def contents(storage: Storage, container: str) -> dict[str, bytes]:
    """Return all blobs of a container."""
    client = storage.container(container)
    return {blob.name: client.download_blob(blob.name).readall() for blob in client.list_blobs()}


def test_a_letter_is_written_once(storage: Storage, prefix: str) -> None:
    """A missing container is created; the first dead letter stays, and is not written again."""
    letters = BlobDeadLetters(storage, container=prefix)
    text = event(data={"text": "ü\ud800"})
    letters.write(letter(subject=text))
    letters.write(letter(subject=text, attempts=4, reason="other", at=SEEN + timedelta(days=1)))
    ((name, content),) = contents(storage, prefix).items()
    assert name == letter(subject=text).name
    assert json.loads(content) == letter(subject=text).to_document()
    (blob,) = storage.container(prefix).list_blobs()
    assert blob.content_settings.content_type == "application/json"
