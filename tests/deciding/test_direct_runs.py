import json
from dataclasses import replace

import pytest

from shared.deciding.decide import decide, decide_direct_run
from shared.event import Event, read_events
from shared.event.caller_stamp import ATTRIBUTE, caller_of, stamped, strip_caller
from shared.runs.direct_run import DirectRun
from shared.stores.parked import Parked
from tests.support.clocks import SEEN
from tests.support.delivery import event
from tests.support.direct_runs import CALLED, OBJECT_ID, RULES, rules
from tests.support.parked import of_message


def test_a_call_is_decided_from_itself_alone() -> None:
    """The request holds what was asked for, under a run id of caller, DAG and key."""
    decision = decide_direct_run(CALLED, rules())
    request = decision.request
    assert request is not None
    assert (request.rule, request.connection, request.dag_id) == ("call", "main", "smoke_tests")
    assert request.run_after == "2026-01-01T00:00:00Z"
    assert request.logical_date is None
    assert request.conf["site"] == "shop"
    assert request.callback is not None
    assert request.note == (
        f"Started by the caller `pipeline` of Updraft, object id {OBJECT_ID}, with the key `k-1`. "
        "The caller's note: release 7"
    )


def test_a_parked_call_comes_back_as_it_was() -> None:
    """By way of the queue's text the same call makes the same request, time included."""
    back = of_message(Parked(CALLED, 1, SEEN).to_message()).work
    assert back == CALLED


def test_what_a_dag_sees_of_a_call_never_changes() -> None:
    """Identity and run id are the same in every version: another id would start each repeated call again."""
    request = decide_direct_run(CALLED, rules()).request
    assert request is not None
    assert request.dag_run_id == "call__k-1__3972ae7ae020db3900febc6b"
    source = f"/callers/{OBJECT_ID}/connections/main/dags/smoke_tests"
    event = (
        f'{{"id": "k-1", "source": "{source}", "type": "Updraft.RunRequested",'
        ' "time": "2026-11-01T12:00:00Z", "subject": "/dags/smoke_tests"}'
    )
    caller = f'{{"app_id": "a", "entry": "pipeline", "kind": "application", "object_id": "{OBJECT_ID}"}}'
    assert json.dumps(request.conf["_updraft"]) == (
        f'{{"rule": "call", "event": {event}, "key": null, "via": "call", "caller": {caller}}}'
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"caller": {**CALLED.caller, "object_id": "another"}},
        {"dag_id": "smoke_two"},
        {"id": "k-2"},
    ],
)
def test_run_ids_differ_where_calls_do(changes: dict[str, object]) -> None:
    """Another caller, DAG or key is another run; conf and note are not its identity."""

    def run_id(call: DirectRun) -> str:
        request = decide_direct_run(call, rules()).request
        assert request is not None
        return request.dag_run_id

    first = run_id(CALLED)
    assert run_id(replace(CALLED, **changes)) != first  # type: ignore[arg-type] # the cases name its fields
    assert run_id(replace(CALLED, conf={}, note=None)) == first


def test_a_call_whose_entry_is_gone_starts_nothing() -> None:
    """Without the entry nobody knows whether the run reports back; what else is checked, delivery checks."""
    decision = decide_direct_run(CALLED, rules(RULES.replace("name: pipeline", "name: other")))
    assert not decision.matched
    assert "no entry `pipeline`" in str(decision.reason)


def test_a_call_without_conf_or_note_has_the_identity_alone() -> None:
    """The request has only what the caller asked for, and no callback without `track`."""
    call = replace(CALLED, caller={**CALLED.caller, "entry": "agent"}, conf={}, note=None)
    request = decide_direct_run(call, rules()).request
    assert request is not None
    assert [*request.conf] == ["_updraft"]
    assert request.callback is None
    assert request.note is not None
    assert "words" not in request.note


def test_a_rules_callback_has_its_own_terms() -> None:
    """Lifetime and token are the rule's, or by default 24 hours and a token."""
    for text, terms in ((RULES, (7_200, False)), (RULES.replace("    callback: {", "    #"), (86_400, True))):
        (decision,) = decide(event(), rules(text))
        assert decision.request is not None
        assert decision.request.callback is not None
        assert (decision.request.callback.lifetime, decision.request.callback.token) == terms


class TestStamp:
    """The caller's identity on an event."""

    def test_it_survives_as_an_attribute(self) -> None:
        """The stamp is a CloudEvents attribute, and is read back from it."""
        known = stamped(event(), {"object_id": "o"})
        (read,) = read_events(json.dumps(known.to_cloud_event()))
        assert isinstance(read, Event)
        assert caller_of(read) == {"object_id": "o"}
        assert caller_of(strip_caller(read)) is None

    def test_an_event_without_one_is_left_alone(self) -> None:
        """An event without a caller has no stamp."""
        known = event()
        assert strip_caller(known) is known
        assert caller_of(known) is None

    @pytest.mark.parametrize("value", ["not JSON", 7, True, "[" * 100_000])
    def test_what_cannot_be_read_is_nobody(self, value: object) -> None:
        """A stamp that cannot be read is ignored."""
        assert caller_of(event(extensions={ATTRIBUTE: value})) is None
