"""Parking on a real queue."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.azure.storage_account import CONNECTIONS, Storage
from shared.errors import EventError, StorageUnavailable
from shared.stores.parked import Parked
from shared.stores.parking import LONGEST_DELAY, ClaimGone, QueueParking
from shared.stores.queue_messages import MESSAGE_LIMIT
from shared.stores.work_items import UnverifiedHook
from tests.support.clocks import SEEN
from tests.support.parked import event_of, parked


@pytest.fixture
def parking(storage: Storage, prefix: str) -> QueueParking:
    """Parking in a queue and a container that do not exist yet."""
    return QueueParking(storage, queue=f"{prefix}-parked", claims=f"{prefix}-claims")


def messages(storage: Storage, prefix: str) -> list[str]:
    """Return the visible messages unchanged, as the Functions host does."""
    client = storage.queue(f"{prefix}-parked")
    return [message.content for message in client.peek_messages(max_messages=32)]


class TestQueue:
    """Parking on a real queue."""

    def test_the_queue_is_made_when_it_is_missing(
        self, parking: QueueParking, storage: Storage, prefix: str
    ) -> None:
        """The first parking creates the queue; the message is JSON, and is read unchanged."""
        parking.park(parked(), 0)
        parking.park(parked(attempt=2), 0)
        texts = messages(storage, prefix)
        assert [parking.unpark(text).attempt for text in texts] == [1, 2]
        assert parking.unpark(texts[0]) == parked()
        assert json.loads(texts[0])["rule"] == "smoke"
        assert texts[0].isascii()

    def test_a_parked_delivery_is_invisible_until_its_time(
        self, parking: QueueParking, storage: Storage, prefix: str
    ) -> None:
        """A message is invisible until its delay is over."""
        parking.park(parked(), 1.4)
        assert messages(storage, prefix) == []
        deadline = time.monotonic() + 60
        while not messages(storage, prefix):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def test_any_delay_is_accepted(self, parking: QueueParking, storage: Storage, prefix: str) -> None:
        """Delays above Storage's limit are reduced to it; messages never expire."""
        parking.park(parked(), 10 * LONGEST_DELAY)
        parking.park(parked(), -5)
        client = storage.queue(f"{prefix}-parked")
        properties = client.get_queue_properties()
        assert properties.approximate_message_count == 2
        (visible,) = client.peek_messages(max_messages=32)
        assert visible.expires_on is not None
        assert visible.expires_on.year == 9999

    def test_many_threads_keep_their_connections(
        self, parking: QueueParking, caplog: pytest.LogCaptureFixture
    ) -> None:
        """If all threads of the worker park at once, connections are reused."""
        parking.park(parked(), 0)
        together = threading.Barrier(CONNECTIONS)

        def park(number: int) -> None:
            together.wait(90)
            parking.park(parked(number), 0)

        with caplog.at_level("WARNING", "urllib3"), ThreadPoolExecutor(CONNECTIONS) as threads:
            for _ in range(2):
                [*threads.map(park, range(CONNECTIONS))]
        assert [record.message for record in caplog.records if "discard" in record.message] == []

    @pytest.mark.parametrize("missing", [1, 0])
    def test_the_limit_is_exact(
        self, parking: QueueParking, storage: Storage, prefix: str, missing: int
    ) -> None:
        """A message of exactly the greatest size is sent as it is; one more character makes a claim check."""
        room = MESSAGE_LIMIT - len(parked("").to_message())
        for character, takes in (("x", 1), ("&", len("&amp;")), ("ü", len("\\u00fc"))):
            count, rest = divmod(room + 1 - missing, takes)
            payload = "x" * rest + character * count
            parking.park(parked(payload, attempt=2), 0)
            (text,) = messages(storage, prefix)
            assert ("claim" in json.loads(text)) == (missing == 0)
            assert event_of(parking.unpark(text)).data == payload
            storage.queue(f"{prefix}-parked").clear_messages()

    def test_a_large_event_goes_by_a_claim(
        self, parking: QueueParking, storage: Storage, prefix: str
    ) -> None:
        """A megabyte is read unchanged; parking it twice leaves one blob; `forget` deletes it."""
        large = parked("ü" * 500_000)
        parking.park(large, 0)
        parking.park(large, 0)
        texts = messages(storage, prefix)
        assert len({*texts}) == 1
        back = parking.unpark(texts[0])
        assert back == replace(large, claim=large.claim_name())
        container = storage.container(f"{prefix}-claims")
        assert [blob.name for blob in container.list_blobs()] == [large.claim_name()]
        parking.forget(back)
        parking.forget(back)
        assert [*container.list_blobs()] == []
        with pytest.raises(ClaimGone, match="another copy"):
            parking.unpark(texts[0])

    @pytest.mark.parametrize("size", [10, 1_000_000])
    def test_an_unverified_hook_comes_back_as_it_was_signed(
        self, parking: QueueParking, storage: Storage, prefix: str, size: int
    ) -> None:
        """The body is in the message or in a blob, is read unchanged, and `forget` deletes it."""
        body = (b"\xff\x00<&" * size)[:size]
        hook = Parked(
            UnverifiedHook("github", body, "sha256=" + "0" * 64, {"x-github-event": "push"}), 0, SEEN
        )
        parking.park(hook, 0)
        (text,) = messages(storage, prefix)
        back = parking.unpark(text)
        claimed = "claim" in json.loads(text)
        assert back == replace(hook, claim=hook.claim_name() if claimed else None)
        assert claimed == (size > 60_000)
        parking.forget(back)
        if claimed:
            assert [*storage.container(f"{prefix}-claims").list_blobs()] == []

    def test_a_claim_that_is_no_name_is_told(self, parking: QueueParking) -> None:
        """A claim that is not a blob name is refused as a broken message."""
        claims: list[object] = ["", 7, {}, "../other/blob", "0" * 64 + ".json\n"]
        for claim in claims:
            with pytest.raises(EventError, match="claim"):
                parking.unpark(json.dumps({"updraft": 1, "claim": claim}))

    def test_forgetting_a_small_one_asks_nobody(self, parking: QueueParking) -> None:
        """A message without a blob has nothing to delete."""
        parking.forget(parked())

    def test_a_refused_identity_is_told(self, parking: QueueParking, identity: IdentityEndpoint) -> None:
        """Without a token the event is not parked, and the error names the missing role."""
        identity.inject(403, "", times=99)
        with pytest.raises(StorageUnavailable, match="Storage Queue Data Contributor"):
            parking.park(parked(), 0)
