import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import EventError
from shared.event import Event
from shared.stores.parking import Parked
from shared.values.json_text import MAX_DEPTH, parse
from tests.support.clocks import SEEN
from tests.support.delivery import event
from tests.support.parked import parked


class TestMessages:
    """The text of a queue message."""

    def test_a_message_keeps_everything(self) -> None:
        """What is parked comes back as it was, by way of JSON text."""
        known = replace(parked({"a": [1, None, "ü"]}, 7), event=replace(event(), schema="event-grid"))
        assert Parked.from_message(known.to_message()) == known
        assert Parked.from_message(known.to_message().encode()) == known

    @given(
        id_=st.text(min_size=1),
        subject=st.none() | st.text(min_size=1),
        data=st.dictionaries(st.text(), st.text()),
    )
    def test_any_text_survives(self, id_: str, subject: str | None, data: dict[str, str]) -> None:
        """Whatever text an event has, half a surrogate pair included, its message can be encoded and read."""
        known = Parked(
            Event(id=id_, source="/s", type="t", subject=subject, data={**data, "\ud800": "\udfff"}),
            "r",
            1,
            SEEN,
        )
        read = json.loads(known.to_message().encode("ascii"))
        assert (read["event"]["id"], read["event"]["data"]) == (id_, {**data, "\ud800": "\udfff"})

    def test_what_may_arrive_can_be_parked(self) -> None:
        """An event that is nested as deep as may be is read back, though its message is a little deeper."""
        deep = parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)
        assert Parked.from_message(parked(deep).to_message()).event.data == deep

    def test_a_claims_name_is_the_parkings_own(self) -> None:
        """The same parking has the same blob, and no other attempt, rule, event or time shares it."""
        known = parked()
        others = (
            replace(known, attempt=2),
            replace(known, rule="other"),
            replace(known, event=event(id="e-2")),
            replace(known, first_seen=datetime(2026, 1, 1, tzinfo=UTC)),
        )
        assert parked().claim_name() == known.claim_name()
        assert len({known.claim_name(), *(other.claim_name() for other in others)}) == 5

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("", "not JSON"),
            (b"\xff\xfe", "not JSON"),
            ("[" * 100_000, "not JSON"),
            ("[]", '"updraft": 1'),
            ('{"updraft": NaN}', "NaN"),
            ('{"updraft": 2}', '"updraft": 1'),
            ('{"updraft": 1}', "no rule"),
            ('{"updraft": 1, "rule": 7}', "no rule"),
            ('{"updraft": 1, "rule": "r", "attempt": -1}', "attempt"),
            ('{"updraft": 1, "rule": "r", "attempt": true}', "attempt"),
            ('{"updraft": 1, "rule": "r", "attempt": "1"}', "attempt"),
            ('{"updraft": 1, "rule": "r", "attempt": 1, "event": []}', "no event"),
            (
                '{"updraft": 1, "rule": "r", "attempt": 1, "via": "queue", "event": {"id": "e"}}',
                "specversion",
            ),
            ('{"updraft": 1, "rule": "r", "attempt": 1, "event": {"id": "e"}}', "not a way in"),
            ('{"updraft": 1, "rule": "r", "attempt": 1, "via": ["queue"], "event": {}}', "not a way in"),
            ('{"updraft": 1, "rule": "r", "attempt": 1, "via": "hook/*", "event": {}}', "not a way in"),
        ],
    )
    def test_a_broken_message_is_told(self, text: str | bytes, says: str) -> None:
        """A message that is not one of ours is refused with what is wrong, never with another error."""
        with pytest.raises(EventError, match=says):
            Parked.from_message(text)

    @pytest.mark.parametrize("time", ["", None, "yesterday", "2026-11-01T12:00:00", 7])
    def test_a_time_needs_its_zone(self, time: object) -> None:
        """When an event was first seen has to be a time with a zone."""
        document = json.loads(parked().to_message()) | {"first_seen": time}
        with pytest.raises(EventError, match="first_seen"):
            Parked.from_message(json.dumps(document))
