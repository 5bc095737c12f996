"""A right that is taken away while a call or a called-in event waits is gone when it is delivered.

Each test goes the whole way: a signed token at the endpoint, a parked message, an instance with other rules.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.identity_endpoint import Identity
from shared.callers import Rates, TokenVerifier
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.event import Event
from shared.event.caller_stamp import ATTRIBUTE, caller_of, stamped
from shared.http_api.callers import Callers
from shared.http_api.events import EventsEndpoint
from shared.http_api.runs import RunsEndpoint
from shared.rules import Rules, load_rules
from shared.runs.direct_run import DirectRun
from shared.stores.parked import Parked
from shared.stores.work_items import RuleEvent, subject_of
from shared.web import CallRefused, Reply, Request
from tests.support.callers import AUDIENCE, Authority
from tests.support.delivery import DAG, Delivering
from tests.support.parked import event_of, parked_event

WHO = Identity()
ELSE = Identity()
GROUP = "9d0c1d4e-0000-4000-8000-0000000006e0"
PORTAL = "9d0c1d4e-0000-4000-8000-0000000000c1"
HEAD = f"""
connections:
  analytics: {{url: "https://airflow.example", auth: {{kind: entra, scope: s}}}}
  other: {{url: "https://other.example", auth: {{kind: entra, scope: s}}}}
rules:
  - name: opened
    when: {{types: [Shop.Opened, Shop.Moved]}}
    start: {{connection: analytics, dag: {DAG}, conf: {{door: "{{{{ data.door }}}}"}}}}
  - name: latest
    when: {{types: [Shop.Tagged]}}
    start: {{connection: analytics, dag: {DAG}}}
    latest_by: "{{{{ data.door }}}}"
  - name: burst
    when: {{types: [Shop.Burst]}}
    start: {{connection: analytics, dag: {DAG}, conf: {{ids: "{{{{ events | map(attribute='id') }}}}"}}}}
    coalesce: {{window: 5m, by: "{{{{ data.door }}}}"}}
callers:
"""
ENTRY: dict[str, Any] = {
    "name": "shop",
    "app_id": WHO.client_id,
    "dags": ["smoke_*"],
    "conf": ["site", "version"],
    "events": ["Shop.*"],
    "sources": ["/shops/*"],
    "connection": "analytics",
}
"""The entry that allows everything these tests ask for."""


def rules(*entries: dict[str, Any]) -> Rules:
    """Return rules with these entries of `callers`; a member that is None is left out."""
    lines = [{key: value for key, value in entry.items() if value is not None} for entry in entries]
    callers = "".join(f"  - {json.dumps(line)}\n" for line in lines) or "  []\n"
    return load_rules(HEAD + callers, file="rules.yaml", settings={})


@dataclass
class Way:
    """A caller's request, from its token to the run.

    Attributes:
        delivering: What delivers.
        verifier: Verifies the tokens.
        authority: Issues them.
        stub: The Airflow.
    """

    delivering: Delivering
    verifier: TokenVerifier
    authority: Authority
    stub: AirflowStub

    def call(self, known: Rules, token: str, *, key: str = "k-1", **conf: str) -> Reply:
        """Ask for a run under these rules."""
        intake = self.delivering.intake(known)
        endpoint = RunsEndpoint(Callers(lambda: known, lambda: self.verifier, Rates()), intake=intake)
        body = json.dumps({"conf": conf or {"site": "s", "version": "v"}}).encode()
        headers = {"content-type": "application/json", "idempotency-key": key}
        return endpoint.start(Request({"authorization": f"Bearer {token}", **headers}, body), DAG)

    def send(self, known: Rules, token: str, **changes: object) -> Reply:
        """Send an event under these rules."""
        intake = self.delivering.intake(known)
        endpoint = EventsEndpoint(Callers(lambda: known, lambda: self.verifier, Rates()), intake=intake)
        event = {"specversion": "1.0", "id": "e-1", "source": "/shops/1", "type": "Shop.Opened"}
        body = json.dumps(event | {"data": {"door": "north"}} | changes).encode()
        return endpoint.publish(
            Request({"authorization": f"Bearer {token}", "content-type": "application/json"}, body)
        )

    def later(self, known: Rules) -> list[Outcome]:
        """Let the waits of all that is parked pass, and deliver it under these rules."""
        parked = [*self.delivering.parking.kept]
        self.delivering.parking.kept.clear()
        self.delivering.clock.sleep(max((delay for _, delay in parked), default=0) + 60)
        intake = self.delivering.intake(known)
        return [intake.receive_parked(each.to_message()) for each, _ in parked]

    def letters(self) -> list[tuple[str, str, str]]:
        """Return code, rule and event id of each dead letter."""
        kept = self.delivering.letters.kept.values()
        return sorted((letter.code, letter.rule, str(letter.subject.id)) for letter in kept)


ASKED: dict[str, Callable[[Way, Rules, str], Reply]] = {"call": Way.call, "event": Way.send}


@pytest.fixture
def way(delivering: Delivering, verifier: TokenVerifier, authority: Authority, stub: AirflowStub) -> Way:
    """The way to a stub of Airflow."""
    return Way(delivering, verifier, authority, stub)


def waiting(way: Way, what: str, entry: dict[str, Any], kind: str = "app") -> Parked:
    """Let a call or an event be allowed by an entry, and wait; Airflow is healthy after that."""
    way.stub.inject(500, times=10_000)
    assert ASKED[what](way, rules(entry), token(way.authority, kind)).status == 202
    way.stub.heal()
    ((parked, _),) = way.delivering.parking.kept
    return parked


def work_of(parked: Parked) -> RuleEvent | DirectRun:
    """Return what of a caller waits."""
    assert isinstance(parked.work, RuleEvent | DirectRun)
    return parked.work


def token(authority: Authority, kind: str) -> str:
    """Return a good token of the identity that each kind of entry is about."""
    match kind:
        case "group":
            return authority.issue(AUDIENCE, WHO, groups=[ELSE.object_id, GROUP.upper()])
        case "role":
            return authority.issue(AUDIENCE, WHO, roles=["Other", "Runs.Start"])
        case "user":
            return authority.issue(AUDIENCE, Identity(PORTAL, WHO.object_id), scp="Profile.Read Runs.Start")
        case _:
            return authority.issue(AUDIENCE, WHO)


ENTRIES: dict[str, dict[str, Any]] = {
    "app": ENTRY,
    "object": ENTRY | {"app_id": None, "object_id": WHO.object_id},
    "group": ENTRY | {"app_id": None, "group": GROUP},
    "role": ENTRY | {"app_id": None, "role": "Runs.Start"},
    "user": ENTRY
    | {"app_id": None, "object_id": WHO.object_id, "scopes": ["Runs.All", "Runs.Start"], "clients": [PORTAL]},
}
OF_CALLS = {"dags": None, "conf": None, "connection": None}
OF_EVENTS = {"events": None, "sources": None}
EVERYBODY = {"app_id": None, "object_id": None, "group": None, "role": None, "scopes": None, "clients": None}
WIDE = {"dags": ["*"], "conf": ["*"], "events": ["*"], "sources": None}
TAKEN: dict[str, tuple[str, str, dict[str, Any]]] = {
    "renamed": ("app", "both", {"name": "shops"}),
    "another application": ("app", "both", {"app_id": ELSE.client_id}),
    "now an object id": ("app", "both", {"app_id": None, "object_id": ELSE.object_id}),
    "now a group": ("app", "both", {"app_id": None, "group": GROUP}),
    "now a role": ("app", "both", {"app_id": None, "role": "Runs.Start"}),
    "another object": ("object", "both", {"object_id": ELSE.object_id}),
    "another group": ("group", "both", {"group": ELSE.object_id}),
    "a group that did not decide": ("role", "both", {"role": None, "group": GROUP}),
    "another role": ("role", "both", {"role": "Runs.Stop"}),
    "a role in other letters": ("role", "both", {"role": "runs.start"}),
    "no scopes": ("user", "both", {"scopes": None, "clients": None}),
    "other scopes": ("user", "both", {"scopes": ["Runs.All"]}),
    "a scope that did not decide": ("user", "both", {"scopes": ["Profile.Read"]}),
    "other clients": ("user", "both", {"clients": [ELSE.client_id]}),
    "the client itself": (
        "user",
        "both",
        {"object_id": None, "scopes": None, "clients": None, "app_id": PORTAL},
    ),
    "no calls": ("app", "call", OF_CALLS),
    "other DAGs": ("app", "call", {"dags": ["load_*"]}),
    "a DAG in other letters": ("app", "call", {"dags": ["SMOKE_*"]}),
    "fewer keys": ("app", "call", {"conf": ["site"]}),
    "no keys": ("app", "call", {"conf": None}),
    "another connection": ("app", "call", {"connection": "other"}),
    "no events": ("app", "event", OF_EVENTS),
    "other types": ("app", "event", {"events": ["Shop.Closed"]}),
    "other sources": ("app", "event", {"sources": ["/shops/2*"]}),
}
KEPT: dict[str, list[dict[str, Any]]] = {
    "the same": [ENTRY],
    "wider": [ENTRY | WIDE],
    "another rate": [ENTRY | {"rate": "1/h"}],
    "another track": [ENTRY | {"track": "callback"}],
    "reordered": [
        ENTRY | EVERYBODY | {"name": "first", "app_id": ELSE.client_id},
        ENTRY | EVERYBODY | {"name": "second", "group": GROUP},
        ENTRY,
    ],
}
EACH = pytest.mark.parametrize("what", ASKED)


def cases() -> Iterator[tuple[str, str]]:
    """Yield requests, and each change that removes the permission for them."""
    for change, (_, about, _) in TAKEN.items():
        yield from ((what, change) for what in ASKED if about in (what, "both"))


@pytest.mark.parametrize(("what", "change"), [*cases()])
def test_a_right_that_was_taken_away_is_gone(way: Way, what: str, change: str) -> None:
    """The parked delivery is rejected at once with its own code, is a dead letter, and starts nothing."""
    kind, _, changes = TAKEN[change]
    work = work_of(waiting(way, what, ENTRIES[kind], kind))
    (outcome,) = way.later(rules(ENTRIES[kind] | changes))
    assert (outcome.kind, outcome.code, outcome.rule) == (
        OutcomeKind.REJECTED,
        "PermissionRevoked",
        work.rule,
    )
    assert "`shop`" in outcome.reason
    assert way.letters() == [("PermissionRevoked", work.rule, subject_of(work).id)]
    assert way.delivering.parking.kept == []
    assert not way.stub.runs
    assert way.delivering.outcome_counts.balances()


@EACH
@pytest.mark.parametrize("kind", ENTRIES)
def test_a_right_that_is_there_still_is_used(way: Way, what: str, kind: str) -> None:
    """The claims that allowed it are stored with the parked delivery, so that it can start."""
    waiting(way, what, ENTRIES[kind], kind)
    (outcome,) = way.later(rules(ENTRIES[kind]))
    assert outcome.kind is OutcomeKind.STARTED
    assert way.letters() == []


@EACH
@pytest.mark.parametrize("change", KEPT)
def test_what_takes_no_right_away_changes_nothing(way: Way, what: str, change: str) -> None:
    """Order, rate, other entries and wider rights do not matter; the entry is found by its name."""
    waiting(way, what, ENTRY)
    (outcome,) = way.later(rules(*KEPT[change]))
    assert outcome.kind is OutcomeKind.STARTED


@EACH
def test_an_entry_of_the_same_name_for_somebody_else_gives_nothing(way: Way, what: str) -> None:
    """A deleted entry does not come back by a new one of its name, nor by a new one for the same identity."""
    waiting(way, what, ENTRY)
    unknown = ENTRY | WIDE | {"app_id": ELSE.client_id}
    (outcome,) = way.later(rules(unknown, ENTRY | WIDE | {"name": "new"}))
    assert outcome.code == "PermissionRevoked"
    assert not way.stub.runs


@EACH
def test_nobody_may_call_any_more(way: Way, what: str) -> None:
    """Without `callers` no parked call or event of a caller starts."""
    waiting(way, what, ENTRY)
    (outcome,) = way.later(rules())
    assert outcome.code == "PermissionRevoked"


@EACH
def test_a_right_is_asked_for_at_every_delivery(way: Way, what: str) -> None:
    """A delivery that is parked again and again is checked each time, and not only the first."""
    waiting(way, what, ENTRY)
    for _ in range(3):
        way.stub.inject(500, times=10_000)
        (outcome,) = way.later(rules(ENTRY))
        assert outcome.kind is OutcomeKind.PARKED
        way.stub.heal()
    (outcome,) = way.later(rules(ENTRY | {"app_id": ELSE.client_id}))
    assert (outcome.code, outcome.attempt) == ("PermissionRevoked", 5)


@EACH
def test_a_copy_of_a_message_is_checked_too(way: Way, what: str) -> None:
    """A queue may deliver a message twice: the copy that comes after the right is gone does nothing."""
    parked = waiting(way, what, ENTRY)
    assert way.later(rules(ENTRY))[0].kind is OutcomeKind.STARTED
    runs = dict(way.stub.runs)
    copy = way.delivering.intake(rules(ENTRY)).receive_parked(parked.to_message())
    assert copy.kind is OutcomeKind.DUPLICATE
    gone = rules(ENTRY | {"name": "other"})
    assert way.delivering.intake(gone).receive_parked(parked.to_message()).code == "PermissionRevoked"
    assert way.stub.runs == runs


@EACH
def test_a_dead_letter_that_is_sent_again_is_checked(way: Way, what: str) -> None:
    """`updraft replay` brings no right back, and starts the run once the right is there again."""
    waiting(way, what, ENTRY)
    way.later(rules(ENTRY | {"name": "other"}))
    (letter,) = way.delivering.letters.kept.values()
    subject = letter.subject
    assert isinstance(subject, Event | DirectRun)
    work = subject if isinstance(subject, DirectRun) else RuleEvent(subject, letter.rule)
    again = Parked(work, 1, letter.first_seen)
    intake = way.delivering.intake(rules(ENTRY | {"name": "other"}))
    assert intake.receive_parked(again.to_message()).code == "PermissionRevoked"
    back = way.delivering.intake(rules(ENTRY))
    assert back.receive_parked(again.to_message()).kind is OutcomeKind.STARTED


CHANGED_STAMPS: list[dict[str, Any]] = [
    {"kind": None},
    {"kind": "Application"},
    {"object_id": 7},
    {"app_id": None},
    {"entry": ["shop"]},
    {"entry": None},
]


@pytest.mark.parametrize("stamp", ["", "x", "[]", "{}", "7", "[" * 5_000, *CHANGED_STAMPS])
def test_an_event_without_a_readable_identity_starts_nothing(way: Way, stamp: str | dict[str, Any]) -> None:
    """A stamp that names nobody has no rights."""
    parked = waiting(way, "event", ENTRY)
    event = event_of(parked)
    known = caller_of(event)
    assert isinstance(known, dict)
    text = stamp if isinstance(stamp, str) else json.dumps(known | stamp)
    forged = replace(event, extensions={**event.extensions, ATTRIBUTE: text})
    again = replace(parked, work=RuleEvent(forged, "opened"))
    outcome = way.delivering.intake(rules(ENTRY)).receive_parked(again.to_message())
    assert outcome.code == "PermissionRevoked"
    assert not way.stub.runs


@pytest.mark.parametrize("caller", [None, "", "x", [], 7, {}, *CHANGED_STAMPS])
def test_a_call_without_a_readable_identity_starts_nothing(way: Way, caller: object) -> None:
    """A call that names nobody has no rights, and one without a caller is not a call."""
    message = json.loads(waiting(way, "call", ENTRY).to_message())
    known = message["run"]["caller"]
    message["run"]["caller"] = known | caller if isinstance(caller, dict) and caller else caller
    outcome = way.delivering.intake(rules(ENTRY)).receive_parked(json.dumps(message))
    assert outcome.code == ("PermissionRevoked" if isinstance(caller, dict) else "Unreadable")
    assert not way.stub.runs


def test_a_call_is_no_event_and_an_event_no_call(way: Way) -> None:
    """The right to send events of any type does not start a DAG by name, even with the same content."""
    events = ENTRY | OF_CALLS | {"events": ["*"], "sources": None}
    call = waiting(way, "call", ENTRY)
    run = work_of(call)
    assert isinstance(run, DirectRun)
    told = json.loads(call.to_message())["run"]
    event = stamped(Event(run.id, run.source, "Updraft.RunRequested", data=told, via="call"), run.caller)
    for known, code in ((ENTRY, "PermissionRevoked"), (events, "RuleChanged")):
        intake = way.delivering.intake(rules(known))
        assert intake.receive_parked(parked_event(event, "call").to_message()).code == code
    outcome = way.delivering.intake(rules(events)).receive_parked(call.to_message())
    assert outcome.code == "PermissionRevoked"
    assert not way.stub.runs


def test_an_event_that_nobody_called_in_needs_no_right(way: Way) -> None:
    """Parked events of Event Grid come back with any `callers`, and without."""
    body = json.dumps(
        {"specversion": "1.0", "id": "g", "source": "/s", "type": "Shop.Opened", "data": {"door": 1}}
    )
    way.stub.inject(500, times=10_000)
    way.delivering.intake(rules(ENTRY)).receive(body)
    way.stub.heal()
    assert way.later(rules())[0].kind is OutcomeKind.STARTED


class TestWindows:
    """`coalesce`: a right may end while the events of a burst are collected."""

    def collect(self, way: Way, entry: dict[str, Any], *ids: str, identity: Identity = WHO) -> None:
        """Put events of a caller into the window."""
        good = way.authority.issue(AUDIENCE, identity)
        for event_id in ids:
            assert way.send(rules(entry), good, id=event_id, type="Shop.Burst").status == 202

    def confs(self, way: Way) -> list[Any]:
        """Return the confs of the runs."""
        return [run["conf"]["ids"] for run in way.stub.runs.values()]  # type: ignore[index, call-overload] # a conf

    def test_events_whose_right_is_gone_are_left_out(self, way: Way) -> None:
        """The run has the other events; each event that is left out is a dead letter."""
        other = ENTRY | {"name": "other", "app_id": ELSE.client_id}
        self.collect(way, ENTRY, "a", "c")
        self.collect(way, other, "b", identity=ELSE)
        way.delivering.intake(rules()).receive(
            json.dumps(
                {
                    "specversion": "1.0",
                    "id": "g",
                    "source": "/s",
                    "type": "Shop.Burst",
                    "data": {"door": "north"},
                }
            )
        )
        (outcome,) = way.later(rules(other))
        assert outcome.kind is OutcomeKind.STARTED
        assert sorted(self.confs(way)[0]) == ["b", "g"]
        assert way.letters() == [("PermissionRevoked", "burst", "a"), ("PermissionRevoked", "burst", "c")]
        assert way.delivering.outcome_counts.balances()

    def test_a_window_without_any_right_starts_nothing(self, way: Way) -> None:
        """A window whose events have all lost their permission has no run."""
        self.collect(way, ENTRY, "a", "b")
        (outcome,) = way.later(rules())
        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "PermissionRevoked")
        assert len(way.letters()) == 2
        assert not way.stub.runs
        assert way.delivering.outcome_counts.balances()

    def test_a_close_that_waits_asks_again_and_writes_once(self, way: Way) -> None:
        """While Airflow is down nothing is written; the rules in force when the run starts decide."""
        self.collect(way, ENTRY, "a")
        self.collect(way, ENTRY | {"name": "other", "app_id": ELSE.client_id}, "b", identity=ELSE)
        both = rules(ENTRY, ENTRY | {"name": "other", "app_id": ELSE.client_id})
        for known in (both, rules(ENTRY), rules(ENTRY)):
            way.stub.inject(500, times=10_000)
            assert [each.kind for each in way.later(known)] == [OutcomeKind.PARKED]
            assert way.letters() == []
            way.stub.heal()
        (outcome,) = way.later(rules(ENTRY))
        assert outcome.kind is OutcomeKind.STARTED
        assert self.confs(way) == [["a"]]
        assert way.letters() == [("PermissionRevoked", "burst", "b")]
        rejected = way.delivering.outcome_counts.by_rule()["burst"]["rejected"]
        assert rejected == 1

    def test_what_a_window_left_out_stays_out(self, way: Way) -> None:
        """Once its window is closed, the event is a duplicate when the right is back; a new id runs."""
        self.collect(way, ENTRY, "a")
        way.later(rules())
        self.collect(way, ENTRY, "a")
        assert way.later(rules(ENTRY)) == []
        self.collect(way, ENTRY, "b")
        (outcome,) = way.later(rules(ENTRY))
        assert outcome.kind is OutcomeKind.STARTED
        assert self.confs(way) == [["b"]]

    def test_a_parked_event_is_checked_before_it_is_collected(self, way: Way) -> None:
        """An event of a caller that waited, and whose rule collects by now, is not put into a window."""
        waiting(way, "event", ENTRY)
        collecting = (
            HEAD.replace("types: [Shop.Burst]", "types: [Shop.Opened]")
            .replace("name: opened", "name: x")
            .replace("name: burst", "name: opened")
        )
        (outcome,) = way.later(load_rules(collecting.replace("callers:\n", ""), file="r", settings={}))
        assert outcome.code == "PermissionRevoked"
        assert way.delivering.windows.kept == {}


def test_what_lost_its_right_supersedes_nothing(way: Way) -> None:
    """With `latest_by` a newer event without a permission does not supersede an older one."""
    newer, older = "2026-11-01T12:00:00Z", "2026-11-01T11:00:00Z"
    way.stub.inject(500, times=10_000)
    way.send(rules(ENTRY), token(way.authority, "app"), id="new", type="Shop.Tagged", time=newer)
    way.stub.heal()
    (outcome,) = way.later(rules(ENTRY | {"name": "x"}))
    assert outcome.code == "PermissionRevoked"
    way.delivering.clock.sleep(60)
    reply = way.send(rules(ENTRY), token(way.authority, "app"), id="old", type="Shop.Tagged", time=older)
    assert reply.status == 202
    assert len(way.stub.runs) == 1


PATTERNS = st.sampled_from(
    [
        "*",
        "smoke_*",
        "Smoke_*",
        "load_*",
        "site",
        "version",
        "s*",
        "Shop.*",
        "shop.opened",
        "/shops/*",
        "/shops/2",
    ]
)
LISTS = st.none() | st.lists(PATTERNS, min_size=1, max_size=2)
CHANGES = st.fixed_dictionaries(
    {
        "who": st.sampled_from([*ENTRIES, "else"]),
        "dags": LISTS,
        "conf": LISTS,
        "events": LISTS,
        "sources": LISTS,
        "connection": st.sampled_from(["analytics", "analytics", "other"]),
    }
)


@EACH
@given(changes=CHANGES, kind=st.sampled_from([*ENTRIES]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_waited_starts_only_if_it_would_be_allowed_now(
    way: Way, what: str, changes: dict[str, Any], kind: str
) -> None:
    """A parked call or event starts exactly if the current entry allows it."""
    who = (
        {name: ENTRIES[changes["who"]].get(name) for name in EVERYBODY}
        if changes["who"] != "else"
        else {**EVERYBODY, "app_id": ELSE.client_id}
    )
    about = {name: value for name, value in changes.items() if name != "who"}
    entry = ENTRY | EVERYBODY | who | about
    if entry["dags"] is None:
        entry |= OF_CALLS
    if entry["events"] is None:
        entry |= OF_EVENTS
    if entry["dags"] is None and entry["events"] is None:
        entry |= {"events": ["Nothing"]}
    way.stub.runs.clear()
    way.delivering.letters.kept.clear()
    way.delivering.parking.kept.clear()
    way.delivering.clock.sleep(3_600)
    number = next(NUMBERS)
    name = {"key": f"k-{number}"} if what == "call" else {"id": f"e-{number}"}
    ask: Any = ASKED[what]
    good = token(way.authority, kind)
    way.stub.inject(500, times=10_000)
    ask(way, rules(ENTRIES[kind]), good, **name)
    way.stub.heal()
    (outcome,) = way.later(rules(entry))
    fresh = {"key": f"k-fresh-{number}"} if what == "call" else {"id": f"e-fresh-{number}"}
    elsewhere = what == "call" and entry["connection"] == "other"  # asked anew it is for another Airflow
    try:
        allowed = not elsewhere and ask(way, rules(entry), good, **fresh).status == 202
    except CallRefused as refused:
        allowed = refused.status != 403
    assert outcome.kind is (OutcomeKind.STARTED if allowed else OutcomeKind.REJECTED)
    assert outcome.code in ("", "PermissionRevoked") or allowed


NUMBERS = itertools.count()
