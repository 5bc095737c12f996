"""`updraft doctor`: check sign-in and permissions of each connection."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import click

from cli.findings import Finding, counted, marked, report, split
from cli.options import json_option, local_option, rules_option
from cli.output import print_json, printable
from cli.rules_file import load
from shared.errors import SettingsError, UpdraftError
from shared.values.json_text import Json, JsonObject
from shared.values.wording import did_you_mean

if TYPE_CHECKING:
    from cli.checks.diagnosis import Diagnosis

BODY_LIMIT: Final = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
"""The setting of the Functions host that limits the body of a request before the app gets it."""
LARGEST_BODY: Final = 2_097_152
"""The largest value in bytes: twice the largest body that this app accepts."""


@click.command(
    "doctor",
    help="Check each connection of rules.yaml, with the application settings in the environment: the "
    "identity that signs in, the claims of its token, whether an Airflow answers, and for the DAG of each "
    "rule whether its runs may be started and would begin. Also check the app's settings for hooks and for "
    "the size of requests. Tokens are never printed, and no run is started.",
    epilog="Exit status: 0 if there is no error (warnings are allowed), 1 otherwise.",
)
@rules_option
@click.option("--connection", metavar="NAME", help="check only this connection")
@json_option
@local_option
def command(*, rules_file: str, connection: str | None, as_json: bool) -> int:
    """Check the connections.

    Returns:
        0 if every connection works and the settings are right, 1 otherwise.

    Raises:
        RulesError: The rules cannot be read.
        UpdraftError: There is no such connection.
    """
    from cli.checks.diagnosis import diagnose
    from cli.key_vaults import key_vaults
    from shared.values.hook_settings import hook_kinds

    show: Callable[[str], None] = _ignore if as_json else _print
    rules = load(rules_file, os.environ)
    names = [connection] if connection else [*rules.connections]
    if connection and connection not in rules.connections:
        known = ", ".join(rules.connections)
        near = did_you_mean(connection, rules.connections)
        raise UpdraftError(f"{rules_file}: there is no connection `{connection}`{near}; there are {known}")
    identity = identity_in_words(os.environ)
    show(f"identity: {identity}")
    findings = [*settings_findings(os.environ)]
    show(hooks_in_words(os.environ))
    for line in marked(findings):
        show(line)
    vaults = key_vaults(os.environ)
    connections: list[Json] = []
    for name in names:
        show("")
        show(f"connection {name}: {rules.connections[name].url}")
        found = diagnose(rules, name, vaults)
        for line in _report(found, os.environ):
            show(f"  {line}")
        findings += found.findings
        connections.append(_connection_json(found))
    errors, warnings = split(findings)
    show("")
    show(counted(len(errors), len(warnings)))
    if as_json:
        hooks: list[Json] = [*hook_kinds(os.environ)]
        print_json(report(findings, identity=identity, hooks=hooks, connections=connections))
    return 1 if errors else 0


def _print(line: str) -> None:
    """Print a line at once: the next one may take seconds."""
    print(printable(line), flush=True)


def _ignore(line: str) -> None:
    """Print nothing: the document is printed at the end."""


def body_limit(environment: Mapping[str, str]) -> Finding | None:
    """Return what is wrong with the setting that limits the bodies of requests, or None.

    The host reads the whole body before it starts a function, so before the app checks a token.

    Args:
        environment: The application settings.
    """
    given = environment.get(BODY_LIMIT, "").strip()
    if given.isascii() and given.isdigit() and 0 < int(given[:20]) <= LARGEST_BODY:
        return None
    seen = f"is {given[:40]}" if given else "is missing, so it is 104857600"
    return Finding(
        "BodyLimit",
        f"{BODY_LIMIT} {seen}: an unauthenticated client can make this app hold such bodies in memory",
        "set it",
        "az functionapp config appsettings set --name <function app> --resource-group <resource group> "
        f"--settings {BODY_LIMIT}={LARGEST_BODY}",
    )


def identity_in_words(environment: Mapping[str, str], client_id: str | None = None) -> str:
    """Return the identity that gets tokens from Azure.

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


def hooks_in_words(environment: Mapping[str, str]) -> str:
    """Return the hooks that are switched on.

    Args:
        environment: The application settings.
    """
    from shared.values.hook_settings import hook_kinds, hook_rate

    kinds = hook_kinds(environment)
    return f"hooks: {', '.join(kinds)}, each {hook_rate(environment)}" if kinds else "hooks: none"


def settings_findings(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is wrong with the settings of the app itself.

    Args:
        environment: The application settings.
    """
    from shared.values.hook_settings import check_hooks

    try:
        check_hooks(environment)
    except SettingsError as error:
        yield Finding("HookSettings", str(error))
    if (unbounded := body_limit(environment)) is not None:
        yield unbounded


def _report(found: "Diagnosis", environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the result for one connection, for people."""
    for each in found.sign_ins:
        if each.identity:
            yield f"signs in as {identity_in_words(environment, each.identity)}"
        if each.claims is not None:
            yield f"{each.kind}: {each.credential}"
            yield from (f"  {claim}" for claim in each.claims.lines(time.time()))
    if found.version:
        yield f"Airflow {found.version} answers"
    for dag in found.dags:
        rules = found.rules[dag]
        names = ", ".join(rule.name for rule in rules)
        yield f"DAG {dag}: runs may be started (rule{'' if len(rules) == 1 else 's'} {names})"
    yield from marked(found.findings)


def _connection_json(found: "Diagnosis") -> JsonObject:
    """Return the result for one connection, for programs."""
    sign_ins: list[Json] = [
        {
            "kind": each.kind,
            "identity": each.identity,
            "credential": each.credential,
            "claims": {**each.claims.shown(time.time())} if each.claims is not None else None,
        }
        for each in found.sign_ins
    ]
    return {
        "name": found.connection.name,
        "url": found.connection.url,
        "airflow": found.version or None,
        "auth": sign_ins,
        "dags": [*found.dags],
    }
