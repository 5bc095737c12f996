"""Dead letters on a real Storage service."""

import json

from shared.azure.storage_account import Storage
from shared.stores.dead_letters import BlobDeadLetters
from tests.support.dead_letters import letter
from tests.support.delivery import event


def test_a_letter_is_written_once(storage: Storage, prefix: str) -> None:
    """The container is made when it is missing; a second letter takes the first one's place."""
    letters = BlobDeadLetters(storage, container=f"{prefix}-letters")
    letters.write(letter(subject=event(data={"text": "ü\ud800"})))
    letters.write(letter(attempts=4))
    container = storage.container(f"{prefix}-letters")
    (blob,) = container.list_blobs()
    assert blob.name == letter().name
    assert blob.content_settings.content_type == "application/json"
    assert json.loads(container.download_blob(blob.name).readall()) == letter(attempts=4).to_document()
