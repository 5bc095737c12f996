"""Looks for the runs that events should start, in the Airflows of rules.yaml, as this process's identity.

It reads runs and starts none: the identity needs the right to read DAG runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cli.airflow_commands import entra_role, unpause
from cli.checks.dag_state import known_dags
from cli.checks.unreachable import unreachable
from cli.hints import is_local
from cli.key_vaults import key_vaults
from shared.airflow.shapes import is_forbidden
from shared.errors import CredentialError, SettingsError
from shared.runs.provenance import RESERVED
from shared.values.json_text import Json, JsonObject
from shared.values.wording import did_you_mean

if TYPE_CHECKING:
    from cli.follow.expected_runs import ExpectedRun
    from shared.airflow.client import AirflowClient
    from shared.airflow.response import AirflowResponse
    from shared.rules import Rules

WITHIN: Final = 10.0
"""The longest time in seconds of one question to an Airflow."""


@dataclass(frozen=True, slots=True)
class Look:
    """The result of one look at an Airflow.

    Attributes:
        run: The run; None if it does not exist yet, or may not be read.
        reason: Why there is no run yet, or why it waits; may be empty.
        hopeless: Whether operator action is needed, so that waiting has no effect.
    """

    run: JsonObject | None
    reason: str = ""
    hopeless: bool = False


class RunLookup:
    """Looks runs up; each Airflow's client is made once.

    Args:
        rules: The rules, with the settings filled in.
        environment: The application settings, for the Key Vault.
    """

    def __init__(self, rules: "Rules", environment: Mapping[str, str]) -> None:
        self._rules = rules
        self._environment = environment
        self._clients: dict[str, AirflowClient] = {}
        self._seen: set[tuple[str, str]] = set()

    def look(self, expected: "ExpectedRun") -> Look:
        """Look for a run; a failure is the reason of the result, never an error."""
        try:
            client = self._client(expected.connection)
            if expected.exact:
                answer = client.get_run(expected.dag, expected.run, within=WITHIN)
            else:
                answer = client.newest_runs(expected.dag, expected.run, within=WITHIN)
            found = self._read(expected, client, answer)
            return self._queued(expected, client, found.run) if found.run else found
        except (CredentialError, SettingsError) as error:
            permanent = not isinstance(error, CredentialError) or error.permanent
            return Look(None, str(error), hopeless=permanent)

    def link(self, expected: "ExpectedRun", run: JsonObject) -> str:
        """Return the address of a run's page; empty if it is unknown."""
        from shared.airflow.links import links
        from shared.runs.ref import RunRef

        ref = RunRef(expected.connection, expected.dag, str(run.get("dag_run_id")))
        return str(links(self._rules.connections[expected.connection], ref).get("airflow", ""))

    def _client(self, name: str) -> "AirflowClient":
        if name not in self._clients:
            from shared.airflow.connect import connect

            connection = self._rules.connections[name]
            self._clients[name] = connect(connection, key_vaults(self._environment), self._rules.vaults)
        return self._clients[name]

    def _read(self, expected: "ExpectedRun", client: "AirflowClient", answer: "AirflowResponse") -> Look:
        from shared.airflow.failure_table import AnswerClass, classify

        row = classify(answer)
        place = f"connection `{expected.connection}`"
        if row.answer_class is AnswerClass.ANSWERED and answer.body is not None:
            run = answer.body if expected.exact else _run_of(expected, answer.body)
            return Look(run, "" if run else f"{place}: DAG {expected.dag} has no run for it yet")
        no_run = row.answer_class is AnswerClass.DAG_RUN_NOT_FOUND
        if no_run and not self._is_missing(expected, client):
            return Look(None, f"{place}: DAG {expected.dag} has no run {expected.run} yet")
        if no_run or row.answer_class is AnswerClass.DAG_NOT_FOUND:
            near = did_you_mean(expected.dag, known_dags(client))
            fix = "deploy it, or change `start.dag`"
            return Look(None, f"{place}: Airflow has no DAG `{expected.dag}`{near}; {fix}")
        if answer.fault == "ConnectionRefused":
            start = "make airflow-start" if is_local() else "start its api-server"
            return Look(None, f"the Airflow of `{expected.connection}` is down (connection refused); {start}")
        if row.answer_class is AnswerClass.DENIED and is_forbidden(answer):
            why = f"Airflow does not let this identity read runs of DAG {expected.dag} (HTTP {answer.status})"
            fix = f"give its role the right to read DAG Runs: {entra_role([expected.dag])}"
            return Look(None, f"{place}: {why}; {fix}", hopeless=True)
        found = unreachable(answer, self._rules.connections[expected.connection], (), without_roles=False)
        fix = f"; {found.fix}" if found.fix else ""
        hopeless = row.answer_class in {AnswerClass.DENIED, AnswerClass.UNAUTHORIZED}
        return Look(None, f"{place}: {found.message}{fix}", hopeless=hopeless)

    def _is_missing(self, expected: "ExpectedRun", client: "AirflowClient") -> bool:
        """Return whether a DAG without the run does not exist; a DAG that was seen is not asked for again."""
        from shared.airflow.failure_table import AnswerClass, classify

        dag = (expected.connection, expected.dag)
        if dag in self._seen:
            return False
        missing = (
            classify(client.get_dag(expected.dag, within=WITHIN)).answer_class is AnswerClass.DAG_NOT_FOUND
        )
        if not missing:
            self._seen.add(dag)
        return missing

    def _queued(self, expected: "ExpectedRun", client: "AirflowClient", run: JsonObject) -> Look:
        """Return a run, with the reason why it waits."""
        if run.get("state") != "queued":
            return Look(run, "" if run.get("state") == "running" else f"the run is {run.get('state')}")
        dag = client.get_dag(expected.dag, within=WITHIN).body or {}
        if dag.get("is_paused") is True:
            return Look(run, f"the run is queued, and DAG {expected.dag} is paused: {unpause(expected.dag)}")
        return Look(run, "the run is queued: Airflow's scheduler has not started it")


def _run_of(expected: "ExpectedRun", listing: JsonObject) -> JsonObject | None:
    """Return the newest run of a listing whose id begins as expected, and whose conf names no other event."""
    runs = listing.get("dag_runs")
    for run in runs if isinstance(runs, list) else ():
        if not isinstance(run, dict) or not str(run.get("dag_run_id")).startswith(expected.run):
            continue
        if _event_id(run) in {None, expected.event}:
            return run
    return None


def _event_id(run: JsonObject) -> Json:
    value: Json = run
    for name in ("conf", RESERVED, "event", "id"):
        value = value.get(name) if isinstance(value, dict) else None
    return value
