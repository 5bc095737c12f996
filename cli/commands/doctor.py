"""`updraft doctor`: which identity is used, what each connection's token says, and which role is missing."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import click

from cli.options import rules_option
from cli.output import plural, printable
from cli.rules_file import load
from shared.errors import CredentialError, SettingsError, UpdraftError
from shared.values.wording import did_you_mean

if TYPE_CHECKING:
    from shared.airflow.client import AirflowClient
    from shared.airflow.response import AirflowResponse
    from shared.azure.key_vault import Vaults
    from shared.rules import Connection, Rules
    from shared.rules.model.auth import Auth

SHOWN: Final = ("iss", "aud", "tid", "oid", "appid", "azp", "sub", "idtyp", "roles", "scp")
"""The claims that are shown: who, for whom, and which roles. They identify, and open nothing."""

BODY_LIMIT: Final = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
"""The setting of the Functions host that bounds a request's body before the app is given it."""
LARGEST_BODY: Final = 2_097_152
"""Bytes that the setting allows at most: twice the largest body that this app takes."""

_SECONDS: Final = 20.0


@click.command(
    "doctor",
    help="Check, from where it runs and with the application settings of its environment, that each "
    "connection of rules.yaml is let in: as which identity, with which token, and whether it may start each "
    "rule's DAG. Tokens are decoded, never printed, and no run is started. The setting that bounds the "
    "bodies of requests is checked too.",
    epilog="Exit status: 0 where every connection is let in and bodies are bounded, 1 otherwise.",
)
@rules_option
@click.option("--connection", metavar="NAME", help="check this connection alone")
def command(*, rules_file: str, connection: str | None) -> int:
    """Check the connections.

    Returns:
        0 where every one is let in and the settings are right, 1 otherwise.

    Raises:
        RulesError: The rules cannot be read.
        UpdraftError: There is no such connection.
    """
    rules = load(rules_file, os.environ)
    names = [connection] if connection else [*rules.connections]
    if connection and connection not in rules.connections:
        known = ", ".join(rules.connections)
        near = did_you_mean(connection, rules.connections)
        raise UpdraftError(f"{rules_file}: there is no connection `{connection}`{near}; there are {known}")
    print(printable(f"identity: {identity_in_words(os.environ)}"))
    problems = 0
    for line, wrong in hooks_in_words(os.environ):
        print(printable(line))
        problems += wrong
    if unbounded := body_limit_problem(os.environ):
        print(printable(f"PROBLEM {unbounded}"))
        problems += 1
    for name in names:
        examined = Examination(rules, name)
        print(printable(f"\nconnection {name}: {rules.connections[name].url}"))
        for line in examined.lines():
            print(printable(f"  {line}"))
        problems += len(examined.problems)
    print(f"\n{plural(problems, 'problem')} found" if problems else "\nnothing wrong")
    return 1 if problems else 0


def body_limit_problem(environment: Mapping[str, str]) -> str | None:
    """Return what is wrong with the setting that bounds the bodies of requests, or None where nothing is.

    The host reads a whole body before it starts a function, so before anybody has looked at a token.

    Args:
        environment: The application settings.
    """
    given = environment.get(BODY_LIMIT, "").strip()
    if given.isascii() and given.isdigit() and 0 < int(given[:20]) <= LARGEST_BODY:
        return None
    seen = f"is {given[:40]}" if given else "is missing, so it is 104857600"
    return (
        f"{BODY_LIMIT} {seen}: anybody may have this app hold such bodies before it looks at a token; "
        "az functionapp config appsettings set --name <function app> --resource-group <resource group> "
        f"--settings {BODY_LIMIT}={LARGEST_BODY}"
    )


def identity_in_words(environment: Mapping[str, str], client_id: str | None = None) -> str:
    """Return as whom Azure's token endpoints are asked.

    Args:
        environment: The application settings.
        client_id: A connection's own identity.
    """
    from shared.azure.credential import CLIENT_ID, CREDENTIAL
    from shared.values.app_settings import setting

    if setting(environment, CREDENTIAL) == "default":
        return f"a developer's login ({CREDENTIAL} is default)"
    client_id = client_id or setting(environment, CLIENT_ID)
    if client_id:
        return f"the user-assigned managed identity with client id {client_id}"
    return "the app's system-assigned managed identity"


def hooks_in_words(environment: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """Yield which deployment hooks are switched on and what is wrong with their settings.

    Args:
        environment: The application settings.

    Yields:
        A line, and whether it is a problem.
    """
    from shared.values.hook_settings import check_hooks, hook_kinds, hook_rate

    kinds = hook_kinds(environment)
    yield f"hooks: {', '.join(kinds)}, each {hook_rate(environment)}" if kinds else "hooks: none", False
    try:
        check_hooks(environment)
    except SettingsError as error:
        yield f"PROBLEM {error}", True


@dataclass
class Examination:
    """What one connection's doctor has found.

    Attributes:
        rules: The rules.
        name: The connection's name.
        problems: What is wrong, in words.
    """

    rules: "Rules"
    name: str
    problems: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield the report's lines as they are found out."""
        from shared.airflow.connect import connect
        from shared.azure.credential import azure_credential
        from shared.azure.key_vault import Vaults
        from shared.settings import Settings

        connection = self.rules.connections[self.name]
        vaults = Vaults(Settings.of(os.environ), azure_credential)
        before = len(self.problems)
        without_roles = False
        for auth in connection.auths:
            own = _own_identity(auth)
            if own:
                yield f"as {identity_in_words(os.environ, own)}"
            claims = self._claims(connection, vaults, auth)
            if isinstance(claims, str):
                yield self._problem(f"{auth.kind}: {claims}")
                continue
            yield f"{auth.kind}: {auth.credential_text}"
            yield from (f"  {claim}" for claim in claims.lines(time.time()))
            without_roles |= auth.kind == "entra" and "roles" not in claims.claims
        if len(self.problems) == before:
            client = connect(connection, vaults, self.rules.vaults)
            yield from self._ask(client, without_roles=without_roles)

    def _claims(self, connection: "Connection", vaults: "Vaults", auth: "Auth") -> "Claims | str":
        from shared.airflow.auth.source import header_source
        from shared.azure.credential import azure_credential

        try:
            secrets = vaults.named(connection.vault, self.rules.vaults)
            source = header_source(connection, auth, secrets=secrets, credential=azure_credential)
            return Claims.of(source.claims_text())
        except (CredentialError, SettingsError) as error:
            return str(error)

    def _ask(self, client: "AirflowClient", *, without_roles: bool) -> Iterator[str]:
        """Ask the Airflow whether runs of each DAG may be started: where its refusal is of the body alone."""
        from shared.airflow.failure_table import AnswerClass, classify

        dags = {
            rule.spec.start.dag: None
            for rule in self.rules.rules
            if rule.enabled and rule.connection == self.name
        }
        for dag in dags:
            try:
                answer = client.try_start(dag, within=_SECONDS)
            except CredentialError as error:
                yield self._problem(str(error))
                return
            if classify(answer).answer_class is AnswerClass.REJECTED and answer.sent:
                yield f"Airflow: runs of DAG {dag} may be started"
            else:
                yield self._problem(refusal_in_words(answer, dag, without_roles=without_roles))

    def _problem(self, text: str) -> str:
        self.problems.append(text)
        return f"PROBLEM {text}"


def _own_identity(auth: "Auth") -> str | None:
    if auth.kind == "oidc":
        return auth.identity_client_id
    return auth.client_id if auth.kind in {"entra", "entra_exchange", "google", "aws"} else None


def refusal_in_words(answer: "AirflowResponse", dag: str, *, without_roles: bool) -> str:
    """Return why runs of a DAG cannot be started, and which role is missing.

    Args:
        answer: What Airflow said.
        dag: The DAG.
        without_roles: Whether the connection's Entra token names no app role.
    """
    from shared.airflow.failure_table import AnswerClass, classify, explain

    row = classify(answer)
    text = f"Airflow: DAG {dag}: {explain(row, answer)}"
    if without_roles and row.answer_class in {AnswerClass.UNAUTHORIZED, AnswerClass.DENIED}:
        text += (
            "; the token names no app role: assign the identity the one that this Airflow asks for "
            "(docs/identity.md), and note that a managed identity's token is kept for up to 24 hours"
        )
    return text


@dataclass(frozen=True, slots=True)
class Claims:
    """What a header's value says of itself, unverified.

    Attributes:
        scheme: `Bearer` or `Basic`.
        claims: The token's claims; empty where it tells none.
    """

    scheme: str
    claims: Mapping[str, object]

    @classmethod
    def of(cls, value: str) -> "Claims":
        """Decode a header's value."""
        import jwt

        scheme, _, token = value.partition(" ")
        try:
            claims = jwt.decode(token, options={"verify_signature": False, "verify_exp": False})
        except jwt.InvalidTokenError:
            claims = {}
        return cls(scheme, claims)

    def lines(self, now: float) -> Iterator[str]:
        """Yield the claims that tell who, for whom and until when.

        Args:
            now: Unix seconds.
        """
        if self.scheme == "Basic":
            yield "a user name and a password"
            return
        if not self.claims:
            yield "opaque: it tells nothing of itself"
            return
        for name in SHOWN:
            if name in self.claims:
                value = self.claims[name]
                yield f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
        expiry = self.claims.get("exp")
        if isinstance(expiry, (int, float)):
            yield f"expires in {(expiry - now) / 60:.0f} min"
