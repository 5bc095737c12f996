"""What the secret watch reads from a real Storage service."""

from local.servers.azurite import Azurite
from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.azure.storage_account import Storage
from shared.event import Unreadable
from shared.stores.dead_letters import BlobDeadLetters, DeadLetter
from shared.stores.parking import Parked, QueueParking
from tests.support.clocks import SEEN
from tests.support.delivery import event
from tests.support.secret_watch import stored_in


def test_what_another_process_kept_is_read(azurite: Azurite, storage: Storage) -> None:
    """Dead letters, claims and parked messages of the stack's function app are read from its account."""
    letter = DeadLetter(Unreadable("{", f"refused {'letter' * 3}"), "Unreadable", "letter" * 3, SEEN, SEEN)
    BlobDeadLetters(storage).write(letter)
    parking = QueueParking(storage)
    parking.park(Parked(event(data={"kept": "claimed" * 10_000}), "smoke", 0, SEEN), 0.0)
    parking.park(Parked(event(data={"kept": "in the queue"}), "smoke", 0, SEEN), 0.0)
    with IdentityEndpoint() as identity:
        stored = list(stored_in(azurite, identity))
    for what, text in (
        ("dead letter", "letter" * 3),
        ("claim", "claimed" * 10_000),
        ("parked message", "in the queue"),
    ):
        assert any(kind == what and text in kept for kind, kept in stored)
