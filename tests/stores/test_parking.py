import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import EventError
from shared.event import Event
from shared.stores.parked import Parked
from shared.values.json_text import MAX_DEPTH, parse
from tests.support.clocks import SEEN
from tests.support.delivery import event
from tests.support.direct_runs import CALLED
from tests.support.parked import event_of, of_message, parked, parked_event

ARRIVED = "2026-11-01T12:00:00Z"


class TestMessages:
    """The text of a queue message."""

    def test_a_message_keeps_everything(self) -> None:
        """A parked delivery is read from its JSON text unchanged."""
        one = event(data={"a": [1, None, "ü"]}, schema="event-grid", arrived=ARRIVED)
        known = replace(parked_event(one, attempt=7), waits=3, rendered=True, reason="Airflow is down")
        known = replace(known, rule_changed_since=SEEN, rule_changed_tries=2)
        assert of_message(known.to_message()) == known
        assert of_message(known.to_message().encode()) == known

    def test_what_is_not_said_has_no_words(self) -> None:
        """A first parking has no reason and no cause, and a message cuts both."""
        known = Parked(parked().work, 1, SEEN)
        document = json.loads(known.to_message())
        assert (document["reason"], document["waits"], "cause" in document) == ("", 0, False)
        assert of_message(known.to_message()) == known
        long = of_message(replace(known, reason="r" * 2_000, cause="c" * 100).to_message())
        assert (len(long.reason), len(long.cause)) == (1_000, 40)

    def test_what_has_not_been_seen_yet_has_no_time(self) -> None:
        """The close of an open window has no first arrival."""
        known = replace(parked(), first_seen=None)
        assert "first_seen" not in json.loads(known.to_message())
        assert of_message(known.to_message()) == known

    @given(
        id_=st.text(min_size=1),
        subject=st.none() | st.text(min_size=1),
        data=st.dictionaries(st.text(), st.text()),
    )
    def test_any_text_survives(self, id_: str, subject: str | None, data: dict[str, str]) -> None:
        """Each text of an event, also half of a surrogate pair, can be encoded and read."""
        known = parked_event(
            Event(id=id_, source="/s", type="t", subject=subject, data={**data, "\ud800": "\udfff"})
        )
        read = json.loads(known.to_message().encode("ascii"))
        assert (read["event"]["id"], read["event"]["data"]) == (id_, {**data, "\ud800": "\udfff"})

    def test_what_may_arrive_can_be_parked(self) -> None:
        """An event of the greatest nesting is read, although its message has more levels."""
        deep = parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)
        assert event_of(of_message(parked(deep).to_message())).data == deep

    def test_a_claims_name_is_the_parkings_own(self) -> None:
        """One parking has one blob name; another attempt, rule, event or time has another."""
        known = parked()
        others = (
            replace(known, attempt=2),
            replace(known, waits=1),
            parked_event(event_of(known), "other"),
            replace(known, work=CALLED),
            replace(known, work=replace(CALLED, conf={})),
            parked_event(event(id="e-2")),
            replace(known, first_seen=datetime(2026, 1, 1, tzinfo=UTC)),
        )
        assert replace(parked(), reason="other words").claim_name() == known.claim_name()
        assert len({known.claim_name(), *(other.claim_name() for other in others)}) == 8
        assert json.loads(known.to_claim())["claim"] == known.claim_name()
        assert "event" not in json.loads(known.to_claim())

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("", "not JSON"),
            (b"\xff\xfe", "not JSON"),
            ("[" * 100_000, "not JSON"),
            ("[]", '"updraft": 1'),
            ('{"updraft": NaN}', "NaN"),
            ('{"updraft": 2}', '"updraft": 1'),
            ('{"updraft": 1}', "kind"),
        ],
    )
    def test_a_broken_message_is_told(self, text: str | bytes, says: str) -> None:
        """A message of another sender is refused with the fault, and never with another error."""
        with pytest.raises(EventError, match=says):
            of_message(text)

    @pytest.mark.parametrize("name", ["attempt", "waits"])
    @pytest.mark.parametrize("count", [-1, True, "1", None, 1.5])
    def test_a_count_is_a_count(self, name: str, count: object) -> None:
        """The number of tries has to be a whole number, at least 0."""
        document = json.loads(parked().to_message()) | {name: count}
        with pytest.raises(EventError, match=f"`{name}` is not a count"):
            of_message(json.dumps(document))

    @pytest.mark.parametrize("time", ["", None, "yesterday", "2026-11-01T12:00:00", 7])
    def test_a_time_needs_its_zone(self, time: object) -> None:
        """The time of the first arrival has to have a time zone."""
        document = json.loads(parked().to_message()) | {"first_seen": time}
        with pytest.raises(EventError, match="first_seen"):
            of_message(json.dumps(document))
