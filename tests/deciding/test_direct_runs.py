import json
from dataclasses import replace

import pytest

from shared.deciding.decide import decide, decide_for
from shared.deciding.direct_runs import RUN_REQUESTED, DirectRun
from shared.event import Event, read_events
from shared.event.caller_stamp import ATTRIBUTE, caller_of, stamped, strip_caller
from shared.rules.model.rule import CALL
from shared.stores.parking import Parked
from tests.support.clocks import SEEN
from tests.support.delivery import event
from tests.support.direct_runs import CALLED, OBJECT_ID, RULES, rules


def test_a_call_is_decided_from_its_event_alone() -> None:
    """The request holds what was asked for, under a run id of caller, DAG and key."""
    decision = decide_for(CALLED.to_event(), rules(), CALL)
    request = decision.request
    assert request is not None
    assert (request.rule, request.connection, request.dag_id) == ("call", "main", "smoke_tests")
    assert request.run_after == "2026-01-01T00:00:00Z"
    assert request.logical_date is None
    assert request.conf["site"] == "shop"
    assert request.callback is not None
    assert request.note == (
        f"Asked for by the caller `pipeline` of Updraft, object id {OBJECT_ID}, with the key `k-1`. "
        "In its words: release 7"
    )


def test_a_parked_call_comes_back_as_it_was() -> None:
    """By way of the queue's text the same call makes the same request, time included."""
    called = CALLED.to_event()
    back = Parked.from_message(Parked(called, CALL, 1, SEEN).to_message()).event
    assert decide_for(back, rules(), CALL) == decide_for(called, rules(), CALL)


@pytest.mark.parametrize(
    "changes",
    [
        {"caller": {**CALLED.caller, "object_id": "another"}},
        {"dag_id": "smoke_two"},
        {"key": "k-2"},
        {"key": ""},
    ],
)
def test_run_ids_differ_where_calls_do(changes: dict[str, object]) -> None:
    """Another caller, DAG or key, or none, is another run; conf and note are not its identity."""

    def run_id(call: DirectRun) -> str:
        request = decide_for(call.to_event(), rules(), CALL).request
        assert request is not None
        return request.dag_run_id

    first = run_id(CALLED)
    assert run_id(replace(CALLED, **changes)) != first  # type: ignore[arg-type] # the cases name its fields
    assert run_id(replace(CALLED, conf={}, note=None)) == first


def test_a_call_whose_entry_is_gone_starts_nothing() -> None:
    """Without the entry nobody knows whether the run reports back; what else is checked, delivery checks."""
    decision = decide_for(CALLED.to_event(), rules(RULES.replace("name: pipeline", "name: other")), CALL)
    assert not decision.matched
    assert "no entry `pipeline`" in str(decision.reason)


def test_a_call_comes_out_of_its_event_again() -> None:
    """What was asked for is read back as it was."""
    assert DirectRun.of(CALLED.to_event()) == CALLED
    assert DirectRun.of(strip_caller(CALLED.to_event())) is None


@pytest.mark.parametrize("data", [None, [], {}, {"entry": 7, "dag": [], "conf": 1}])
def test_what_is_no_call_starts_nothing(data: object) -> None:
    """An event of another shape under the name `call` is refused."""
    assert not decide_for(event(type=RUN_REQUESTED, data=data), rules(), CALL).matched


def test_a_call_without_conf_or_note_has_the_identity_alone() -> None:
    """What was not asked for is not there, and without `track` there is no callback."""
    call = replace(CALLED, caller={**CALLED.caller, "entry": "agent"}, conf={}, note=None)
    request = decide_for(call.to_event(), rules(), CALL).request
    assert request is not None
    assert [*request.conf] == ["_updraft"]
    assert request.callback is None
    assert request.note is not None
    assert "words" not in request.note


def test_a_rules_callback_has_its_own_terms() -> None:
    """Lifetime and token are as the rule writes them, or 24 hours and a token."""
    for text, terms in ((RULES, (7_200, False)), (RULES.replace("    callback: {", "    #"), (86_400, True))):
        (decision,) = decide(event(), rules(text))
        assert decision.request is not None
        assert decision.request.callback is not None
        assert (decision.request.callback.lifetime, decision.request.callback.token) == terms


class TestStamp:
    """The caller's identity on an event."""

    def test_it_survives_as_an_attribute(self) -> None:
        """It is a CloudEvents attribute, and comes back from one."""
        known = stamped(event(), {"object_id": "o"})
        (read,) = read_events(json.dumps(known.to_cloud_event()))
        assert isinstance(read, Event)
        assert caller_of(read) == {"object_id": "o"}
        assert caller_of(strip_caller(read)) is None

    def test_an_event_without_one_is_left_alone(self) -> None:
        """Most events have no caller."""
        known = event()
        assert strip_caller(known) is known
        assert caller_of(known) is None

    @pytest.mark.parametrize("value", ["not JSON", 7, True, "[" * 100_000])
    def test_what_cannot_be_read_is_nobody(self, value: object) -> None:
        """A broken stamp is no stamp."""
        assert caller_of(event(extensions={ATTRIBUTE: value})) is None
