"""`POST dags/{dag_id}/runs`: a verified caller requests a run of a DAG by name.

The order is fixed: token -> permission for the DAG -> form -> permission for the rest -> rate -> run. So the
body of a caller without permission is not read. A refused request uses one call of the caller's rate, and
does not show which DAGs or rules exist.
"""

import re
import uuid
from typing import TYPE_CHECKING, Any, Final

from shared.callers import Identity, check_conf, stamp_of, start_entry
from shared.errors import UnusableValue
from shared.http_api.callers import Callers
from shared.http_api.refusals import answered
from shared.http_api.run_reply import WITHOUT_RUN, run_reply
from shared.rules.model.callers import CallerSpec
from shared.runs.direct_run import DirectRun
from shared.runs.provenance import RESERVED
from shared.values.dag_ids import dag_id_problem
from shared.values.json_text import Json, JsonObject
from shared.values.reserved_keys import check_reserved_keys
from shared.values.storable import MAX_CONF_BYTES, check_size, clean_text, to_json
from shared.values.times import now_text, parse_time, time_text
from shared.web import CallRefused, Reply, Request, read_object

if TYPE_CHECKING:
    from shared.delivery.intake import Intake

RUN_LIMIT: Final = 2 * MAX_CONF_BYTES
"""Bytes of a request: escapes can double the length of a conf."""

LONGEST_CONF_KEY: Final = 255
"""Characters of a key of conf: the patterns of the caller's entry are applied to each."""

_MEMBERS: Final = frozenset({"conf", "connection", "note", "logical_date", "run_after"})
_KEY: Final = re.compile(r"[\x21\x23-\x7e]{1,255}")
_NOTE_LONGEST: Final = 500


class RunsEndpoint:
    """Starts direct runs; safe to use from any thread.

    Args:
        callers: Checks token and rate.
        intake: Handles the direct run.
    """

    def __init__(self, callers: Callers, *, intake: "Intake") -> None:
        self._callers = callers
        self._intake = intake

    @answered
    def start(self, request: Request, dag_id: str) -> Reply:
        """Start a run of a DAG; answers 202 with the run's id and links, the same for a repeated key.

        Args:
            request: Has a bearer token, and a JSON object with the optional members `conf`, `connection`,
                `note`, `logical_date` and `run_after`. The header `Idempotency-Key`
                (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/) names the call.
            dag_id: From the path.

        Raises:
            CallRefused: No run starts.
            ConfigurationError: Callers or the rules are not configured.
            StorageUnavailable: The run could be neither started nor parked.
        """
        with self._callers.admitted(request) as caller:
            identity = caller.identity
            problem = dag_id_problem(dag_id)
            if problem is not None:
                raise CallRefused(400, "bad_dag_id", problem)
            start_entry(caller.entries, identity, dag_id=dag_id, connection=None)
            asked = read_object(request, limit=RUN_LIMIT)
            connection = _text(asked, "connection")
            entry = start_entry(caller.entries, identity, dag_id=dag_id, connection=connection)
            run = _direct_run(request, asked, identity, entry, dag_id)
            check_conf(entry, run.conf)
            self._callers.rates.spend(entry, identity)
        outcome = self._intake.receive_direct_run(run)
        if outcome.kind in WITHOUT_RUN:
            named = f"the run {outcome.dag_run_id}" if outcome.dag_run_id else "the run"
            raise CallRefused(
                422,
                "run_rejected",
                f"{named} could not be started ({outcome.code}); the app's log has the reason",
            )
        return Reply(202, run_reply(outcome, caller.rules), {"Updraft-Outcome": outcome.kind.value})


def _direct_run(
    request: Request, asked: JsonObject, identity: Identity, entry: CallerSpec, dag_id: str
) -> DirectRun:
    if extra := sorted(asked.keys() - _MEMBERS):
        known = ", ".join(sorted(_MEMBERS))
        raise CallRefused(400, "bad_body", f"the body has the member {extra[0][:60]!r}; allowed are {known}")
    note = _text(asked, "note")
    if note is not None and len(note) > _NOTE_LONGEST:
        raise CallRefused(
            400, "bad_body", f"the note has {len(note)} characters; send at most {_NOTE_LONGEST}"
        )
    return DirectRun(
        caller=stamp_of(entry, identity),
        dag_id=dag_id,
        connection=entry.connection or "",
        id=_key(request),
        time=now_text(),
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
    longest = max(map(len, conf), default=0)
    if longest > LONGEST_CONF_KEY:
        raise CallRefused(
            400, "bad_body", f"a key of conf has {longest:,} characters; send at most {LONGEST_CONF_KEY}"
        )
    if RESERVED in conf:
        raise CallRefused(400, "bad_body", "the conf key _updraft is reserved: this app writes it")
    try:
        check_reserved_keys(conf, remedy="leave it out")
    except UnusableValue as error:
        raise CallRefused(400, "bad_body", str(error)) from None
    try:
        clean: Any = to_json(conf)
        check_size(clean)
    except UnusableValue as error:
        raise CallRefused(413, "too_large", str(error)) from None
    known: JsonObject = clean
    return known


def _key(request: Request) -> str:
    """Return the call's key, or a new one: the draft has it in quotes, and many clients omit them."""
    key = request.headers.get("idempotency-key", "").strip()
    if not key:
        return str(uuid.uuid4())
    if len(key) > 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise CallRefused(
            400,
            "bad_idempotency_key",
            "Idempotency-Key has to be 1 to 255 printable ASCII characters without spaces",
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
