"""What verified callers ask for over HTTP: a run of a DAG by name, or that events are taken in.

The order is fixed: token -> form -> right -> rate -> event. What is refused has done nothing, and nobody
learns by it which DAGs or rules there are.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from shared.callers import Identity, Rates, check_conf, event_entry, start_entry
from shared.deciding.direct_runs import Call
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.errors import UnusableValue
from shared.event import Event, Unreadable, read_events
from shared.event.caller_stamp import stamped
from shared.event.cloud_events import is_binary_mode
from shared.rules import AwsAuth, Connection, Rules
from shared.rules.model.callers import CallerSpec
from shared.rules.model.rule import DAG_ID
from shared.values.json_text import Json, JsonObject
from shared.values.storable import MAX_CONF_BYTES, check_size, clean_text, to_json
from shared.values.times import parse_time, time_text
from shared.web import CallRefused, Reply, Request, bearer, read_body, read_object

if TYPE_CHECKING:
    from shared.callers import TokenVerifier
    from shared.delivery.intake import Intake

RUN_LIMIT: Final = 2 * MAX_CONF_BYTES
"""Bytes of a request for a run: a conf, however it is spelt."""
EVENTS_LIMIT: Final = 1_048_576
"""Bytes of sent events: as Event Grid takes them."""
MOST_EVENTS: Final = 100
EVENT_TYPES: Final = frozenset(
    {"application/cloudevents+json", "application/cloudevents-batch+json", "application/json"}
)

_MEMBERS: Final = frozenset({"conf", "connection", "note", "logical_date", "run_after"})
_DAG_ID: Final = re.compile(DAG_ID)
_KEY: Final = re.compile(r"[\x21\x23-\x7e]{1,255}")
_NOTE_LONGEST: Final = 500
_UNREADABLE_SHOWN: Final = 5
_WITHOUT_RUN: Final = frozenset({OutcomeKind.UNMATCHED, OutcomeKind.REJECTED, OutcomeKind.SUPERSEDED})
_EVENT_GRID: Final = frozenset({"eventgrid.azure.net", "eventgrid.azure.us", "eventgrid.azure.cn"})


class RunCalls:
    """Carries out what callers ask for; safe to use from any thread.

    Args:
        rules: Gives the rules in force.
        intake: Where events are handled.
        verifier: Gives what tokens are verified with; raises `SettingsError` where callers are not set up.
        rates: What each caller has used of its rate.
    """

    def __init__(
        self,
        *,
        rules: Callable[[], Rules],
        intake: "Intake",
        verifier: "Callable[[], TokenVerifier]",
        rates: Rates,
    ) -> None:
        self._rules = rules
        self._intake = intake
        self._verifier = verifier
        self._rates = rates

    def start(self, request: Request, dag_id: str) -> Reply:
        """Start a run of a DAG; answers 202 with the run's id and links, the same for a repeated key.

        Args:
            request: With a bearer token, and a JSON object of `conf`, `connection`, `note`, `logical_date`
                and `run_after`, each of which may be left out. The header `Idempotency-Key`
                (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/) names the call.
            dag_id: From the path.

        Raises:
            CallRefused: It is not carried out.
            ConfigurationError: Callers, or the rules, are not set up.
            StorageUnavailable: The run could be neither started nor parked.
        """
        identity = self._verifier().verify(bearer(request))
        if not _DAG_ID.fullmatch(dag_id) or not dag_id.strip("."):
            raise CallRefused(400, "bad_dag_id", "this is no DAG's id: letters, digits and _ . ~ - make one")
        asked = read_object(request, limit=RUN_LIMIT)
        rules = self._rules()
        connection = _text(asked, "connection")
        entry = start_entry(rules.callers, identity, dag_id=dag_id, connection=connection)
        call = _call(request, asked, identity, entry, dag_id)
        check_conf(entry, call.conf)
        self._rates.take(entry, identity)
        outcome = self._intake.receive_call(call.to_event())
        if outcome.kind in _WITHOUT_RUN:
            raise CallRefused(422, "rejected", f"the run could not be started: {outcome.reason}")
        run = _run(outcome, rules)
        return Reply(202, run, {"Updraft-Outcome": outcome.kind.value})

    def publish(self, request: Request) -> Reply:
        """Take CloudEvents in, in structured, batch or binary mode: all of them, or none.

        Raises:
            CallRefused: None is taken in.
            ConfigurationError: Callers, or the rules, are not set up.
            StorageUnavailable: At least one could be neither delivered nor parked; send them again.
        """
        identity = self._verifier().verify(bearer(request))
        binary = is_binary_mode(request.headers)
        types = frozenset({request.media_type}) if binary else EVENT_TYPES
        body = read_body(request, limit=EVENTS_LIMIT, media_types=types)
        events = _readable(read_events(body, headers=request.headers))
        rules = self._rules()
        entries = [
            event_entry(rules.callers, identity, event_type=event.type, source=event.source)
            for event in events
        ]
        names = {entry.name: entry for entry in entries}
        for name, count in Counter(entry.name for entry in entries).items():
            self._rates.take(names[name], identity, count)
        results = self._intake.receive_events(
            [
                stamped(event, {"entry": entry.name, **_who(identity)})
                for event, entry in zip(events, entries, strict=True)
            ]
        )
        taken: list[Json] = [
            {
                "id": event.id,
                "source": event.source,
                "runs": [_run(each, rules) for each in outcomes if each.rule],
            }
            for event, outcomes in zip(events, results, strict=True)
        ]
        return Reply(202, {"events": taken})

    def handshake(self, request: Request) -> Reply:
        """Answer Event Grid's question whether it may deliver here (CloudEvents webhook 1.0 section 4).

        It says nothing about who may: every delivery has to carry a token of an identity in `callers`.
        """
        origin = request.headers.get("webhook-request-origin", "").strip().lower()
        if origin not in _EVENT_GRID:
            raise CallRefused(403, "unknown_origin", "only Event Grid may ask for deliveries here")
        allowed = next(known for known in _EVENT_GRID if known == origin)
        return Reply(200, {}, {"WebHook-Allowed-Origin": allowed, "WebHook-Allowed-Rate": "*"})


def _call(request: Request, asked: JsonObject, identity: Identity, entry: CallerSpec, dag_id: str) -> Call:
    if extra := sorted(asked.keys() - _MEMBERS):
        known = ", ".join(sorted(_MEMBERS))
        raise CallRefused(400, "bad_body", f"the body has {extra[0][:60]!r}; there are {known}")
    note = _text(asked, "note")
    if note is not None and len(note) > _NOTE_LONGEST:
        raise CallRefused(
            400, "bad_body", f"the note has {len(note)} characters; send at most {_NOTE_LONGEST}"
        )
    return Call(
        entry=entry.name,
        caller=_who(identity),
        dag_id=dag_id,
        connection=entry.connection or "",
        key=_key(request),
        conf=_conf(asked.get("conf")),
        note=None if note is None else clean_text(note),
        logical_date=_time(asked, "logical_date"),
        run_after=_time(asked, "run_after"),
    )


def _conf(conf: Json) -> JsonObject:
    if conf is None:
        return {}
    if not isinstance(conf, dict):
        raise CallRefused(400, "bad_body", "conf has to be a JSON object")
    if "_updraft" in conf:
        raise CallRefused(400, "bad_body", "the conf key _updraft is reserved: this app writes it")
    try:
        clean: Any = to_json(conf)
        check_size(clean)
    except UnusableValue as error:
        raise CallRefused(413, "too_large", str(error)) from None
    known: JsonObject = clean
    return known


def _key(request: Request) -> str:
    """Return the call's key: the draft has it in quotes, many clients send it without."""
    key = request.headers.get("idempotency-key", "").strip()
    if not key:
        return ""
    if len(key) > 2 and key[0] == key[-1] == '"':  # noqa: PLR2004 - two quotes with something between
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise CallRefused(
            400, "bad_key", "Idempotency-Key has to be 1 to 255 printable ASCII characters without spaces"
        )
    return key


def _text(asked: JsonObject, name: str) -> str | None:
    value = asked.get(name)
    if value is not None and not isinstance(value, str):
        raise CallRefused(400, "bad_body", f"{name} has to be a string")
    return value


def _time(asked: JsonObject, name: str) -> str | None:
    text = _text(asked, name)
    if text is None:
        return None
    try:
        return time_text(parse_time(text))
    except UnusableValue as error:
        raise CallRefused(400, "bad_body", f"{name}: {error}") from None


def _readable(members: Sequence[Event | Unreadable]) -> list[Event]:
    if not members:
        raise CallRefused(400, "bad_body", "the body holds no event")
    if len(members) > MOST_EVENTS:
        raise CallRefused(413, "too_many_events", f"send at most {MOST_EVENTS} events at once")
    bad = [member.error for member in members if isinstance(member, Unreadable)]
    if bad:
        raise CallRefused(400, "bad_event", "; ".join(bad[:_UNREADABLE_SHOWN]))
    events = [member for member in members if isinstance(member, Event)]
    if any(event.schema != "cloudevents" for event in events):
        raise CallRefused(400, "bad_event", "send CloudEvents 1.0; other schemas come by way of Event Grid")
    return events


def _who(identity: Identity) -> JsonObject:
    return {
        "kind": "application" if identity.is_app else "user",
        "object_id": identity.object_id,
        "app_id": identity.app_id,
    }


def _run(outcome: Outcome, rules: Rules) -> JsonObject:
    """Return where a run is found, the same however often it was asked for; or why there is none."""
    if outcome.kind in _WITHOUT_RUN or outcome.connection not in rules.connections:
        return {"rule": outcome.rule, outcome.kind.value: outcome.reason}
    return {
        "rule": outcome.rule,
        "connection": outcome.connection,
        "dag_id": outcome.dag_id,
        "dag_run_id": outcome.dag_run_id,
        "links": _links(rules.connections[outcome.connection], outcome),
    }


def _links(connection: Connection, outcome: Outcome) -> JsonObject:
    dag, run = quote(outcome.dag_id, safe=""), quote(outcome.dag_run_id, safe="")
    if isinstance(connection.auths[0], AwsAuth):
        return {}  # MWAA's API is known, and not the environment's web server
    base = connection.url.rstrip("/")
    if connection.api == "v1":
        return {
            "airflow": f"{base}/dags/{dag}/grid?dag_run_id={run}",
            "api": f"{base}/api/v1/dags/{dag}/dagRuns/{run}",
        }
    return {"airflow": f"{base}/dags/{dag}/runs/{run}", "api": f"{base}/api/v2/dags/{dag}/dagRuns/{run}"}
