"""The diagnosis of one connection: `updraft doctor` and `updraft validate --live` show the same one.

It asks in this order, and stops at the first failure: Is there a credential? Does a server answer? Is that
server an Airflow? Does it accept the identity? Then for each DAG: Does it exist? May its runs be started?
Would they begin?
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cli.airflow_commands import entra_role
from cli.checks.dag_state import REPORTS_TAG, DagState, known_dags, missing_dag, state_of
from cli.checks.token_claims import Claims, claims_of
from cli.checks.unreachable import unreachable
from cli.findings import Finding, quoted
from cli.waiting import waiting
from shared.airflow.shapes import is_forbidden, is_our_dag
from shared.errors import UpdraftError
from shared.values.wording import did_you_mean

if TYPE_CHECKING:
    from shared.airflow.client import AirflowClient
    from shared.airflow.response import AirflowResponse
    from shared.azure.key_vault import Vaults
    from shared.rules import Connection, Rule, Rules

_SECONDS: Final = 20.0
"""The longest time in seconds that one question may take."""
_OURS: Final = frozenset({"entra", "entra_exchange"})
"""The kinds of `auth` for an Airflow with the command `airflow entra-role`."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """One credential of a connection.

    Attributes:
        kind: The kind of `auth`.
        identity: The client id of the connection's own identity; None for the app's identity.
        credential: The credential in words.
        claims: Its claims; None if there is no credential.
    """

    kind: str
    identity: str | None
    credential: str
    claims: Claims | None


@dataclass(slots=True)
class Diagnosis:
    """The result for one connection.

    Attributes:
        connection: The connection.
        rules: The enabled rules that start runs there, by DAG.
        sign_ins: Its credentials.
        version: Airflow's version; empty if no Airflow answers.
        dags: The DAGs whose runs the identity may start, each with its state.
        findings: What is wrong, one for each cause.
    """

    connection: "Connection"
    rules: "Mapping[str, list[Rule]]"
    sign_ins: list[SignIn] = field(default_factory=list)
    version: str = ""
    dags: dict[str, DagState] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def rule_names(self) -> tuple[str, ...]:
        """The enabled rules that start runs there."""
        return tuple(rule.name for rules in self.rules.values() for rule in rules)

    @property
    def without_roles(self) -> bool:
        """Whether its Entra token names no app role."""
        return any(
            each.kind == "entra" and each.claims is not None and "roles" not in each.claims.claims
            for each in self.sign_ins
        )


def diagnose(rules: "Rules", name: str, vaults: "Vaults") -> Diagnosis:
    """Ask the Airflow of a connection with the app's client; nothing is started or changed there.

    Args:
        rules: The rules, loaded with the application settings.
        name: The connection's name.
        vaults: The process's Key Vaults.
    """
    from shared.airflow.connect import connect

    connection = rules.connections[name]
    by_dag: dict[str, list[Rule]] = {}
    for rule in rules.rules:
        if rule.enabled and rule.connection == name:
            by_dag.setdefault(rule.spec.start.dag, []).append(rule)
    found = Diagnosis(connection, by_dag)
    with waiting(f"signing in to {name}"):
        _sign_in(found, vaults, rules.vaults)
    if found.findings:
        return found
    with waiting(f"asking {name} at {connection.url}"):
        try:
            found.findings += _asked(found, connect(connection, vaults, rules.vaults))
        except UpdraftError as error:
            found.findings.append(_no_credential(found, str(error)))
    return found


def _sign_in(found: Diagnosis, vaults: "Vaults", addresses: Mapping[str, str]) -> None:
    for auth in found.connection.auths:
        claims = None
        try:
            claims = claims_of(found.connection, auth, vaults, addresses)
        except UpdraftError as error:
            found.findings.append(_no_credential(found, f"{auth.kind}: {error}"))
        own = getattr(auth, "identity_client_id" if auth.kind == "oidc" else "client_id", None)
        found.sign_ins.append(SignIn(auth.kind, own, auth.credential_text, claims))


def _no_credential(found: Diagnosis, why: str) -> Finding:
    return Finding("CredentialUnavailable", why, connection=found.connection.name, rules=found.rule_names)


def _asked(found: Diagnosis, client: "AirflowClient") -> Iterator[Finding]:
    """Ask one question after another, and yield what is wrong."""
    answer = client.ask_version(within=_SECONDS)
    found.version = answer.version
    if answer.mismatch or not answer.version:
        yield _unreachable(found, answer)
        return
    yield from _dags(found, client) if found.rules else _acceptance(found, client)


def _acceptance(found: Diagnosis, client: "AirflowClient") -> Iterator[Finding]:
    """Ask whether the Airflow accepts the identity, for a connection without rules."""
    from shared.airflow.failure_table import AnswerClass, classify

    answer = client.get("/dags?limit=1", within=_SECONDS)
    if classify(answer).answer_class is not AnswerClass.ANSWERED and not is_forbidden(answer):
        yield _unreachable(found, answer)


def _dags(found: Diagnosis, client: "AirflowClient") -> Iterator[Finding]:
    """Ask about each DAG, and yield what is wrong; one finding for a cause that several DAGs share."""
    from shared.airflow.failure_table import AnswerClass, classify

    denied: list[str] = []
    silent: dict[str, tuple[str, ...]] = {}
    for dag_id, rules in found.rules.items():
        answer = client.get_dag(dag_id, within=_SECONDS)
        if is_our_dag(answer) and answer.body is not None:
            state = state_of(client, answer.body)
            yield from state.findings(found.connection, rules)
            answer = client.try_start(dag_id, within=_SECONDS)
            if classify(answer).answer_class is AnswerClass.REJECTED and answer.sent:
                found.dags[dag_id] = state
                silent |= {dag_id: names} if (names := state.silent(rules)) else {}
                continue
        row = classify(answer)
        if row.answer_class is AnswerClass.DENIED and is_forbidden(answer):
            denied.append(dag_id)
        elif row.answer_class is AnswerClass.DAG_NOT_FOUND:
            yield missing_dag(client, found.connection.name, dag_id, rules)
        else:
            yield _unreachable(found, answer)
            break
    if denied:
        yield _denied(found, denied, known_dags(client))
    if silent:
        yield _silent(found, silent)


def _unreachable(found: Diagnosis, answer: "AirflowResponse") -> Finding:
    return unreachable(answer, found.connection, found.rule_names, without_roles=found.without_roles)


def _denied(found: Diagnosis, dags: Sequence[str], known: Sequence[str]) -> Finding:
    """Return the finding for the DAGs with the answer 403; a DAG that does not exist can be among them."""
    several = len(dags) > 1
    named = ", ".join(f"`{dag}`{did_you_mean(dag, known) if dag not in known else ''}" for dag in dags)
    message = (
        f"Airflow accepts this identity, but does not let it start runs of {'DAGs' if several else 'DAG'} "
        f"{named}, or has no such DAG (HTTP 403)"
    )
    if any(each.kind in _OURS for each in found.sign_ins):
        fix = "where Airflow runs, give the role of this identity that right"
        command = entra_role(dags)
    else:
        fix = "give its role can_read and can_edit on the DAG, can_read and can_create on its DAG Runs"
        command = ""
    return Finding(
        "Forbidden",
        message,
        fix,
        command,
        connection=found.connection.name,
        dags=tuple(dags),
        rules=tuple(rule.name for dag in dags for rule in found.rules[dag]),
    )


def _silent(found: Diagnosis, silent: Mapping[str, tuple[str, ...]]) -> Finding:
    """Return the one finding for all DAGs whose runs do not send the report that rules wait for."""
    several = len(silent) > 1
    return Finding(
        "NoReport",
        f"`track: callback` waits for a report that {'DAGs' if several else 'DAG'} {quoted(silent)} "
        f"{'do' if several else 'does'} not send",
        "end it with `report_run()`, or set `UpdraftNotifier()` as its `on_success_callback` and its "
        "`on_failure_callback` (docs/airflow-side.md), or leave `track` out. If it reports in another way, "
        f"give it the tag `{REPORTS_TAG}`",
        connection=found.connection.name,
        dags=tuple(silent),
        rules=tuple(name for names in silent.values() for name in names),
    )
