"""`updraft hook KIND FILE`: post a webhook's body to the app, as the sender of that kind would."""

import hashlib
import hmac
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cli.event_files import content_of
from cli.findings import Finding, print_failure, print_findings, report, split
from cli.hints import is_local, or_local, updraft, updraft_on
from cli.options import FILE, json_option, local_option
from cli.output import print_json, printable
from cli.waiting import waiting
from shared.errors import EventError, SettingsError, UpdraftError
from shared.event.via import KINDS
from shared.values.app_settings import setting
from shared.values.hook_settings import GITHUB, GITHUB_SECRET
from shared.values.json_text import JsonObject
from shared.values.urls import check_address

if TYPE_CHECKING:
    from cli.publish.posting import Answer

NAMES: Final = {"container-registry": "acr"}
"""Further names of kinds."""
APP_URL: Final = "UPDRAFT_URL"
"""The setting with the app's own address."""
FUNCTION_KEY: Final = "UPDRAFT_FUNCTION_KEY"
"""The environment variable with the key of the hook's function. The app does not read it."""
NOT_TAKEN: Final = 2
"""The exit status if the app did not take the body."""
START_APP: Final = ".venv/bin/python -m local.part start app"
"""The command that starts the app of a local stack that runs (docs/local.md)."""
_GOOD: Final = frozenset({"started", "duplicate", "coalesced", "superseded", "parked"})


@click.command(
    "hook",
    help="Post the body of a webhook to the app, as its sender (GitHub, Kudu, Azure DevOps or a container "
    "registry) would, and print the result. A body for GitHub is signed with the secret in --secret-file, or "
    "with the Key Vault secret that the settings UPDRAFT_GITHUB_SECRET and UPDRAFT_KEY_VAULT_URI name. In "
    "Azure, the function of each hook needs a key: --key-file, or the environment variable "
    "UPDRAFT_FUNCTION_KEY. A body that is posted a second time ends as a duplicate.",
    epilog="Exit status: 0 if the app took the body, and a run starts, will start or exists already. "
    "1 if no rule matches, or the app rejected the event. 2 if the app did not take the body.",
)
@click.argument(
    "kind",
    type=click.Choice(sorted({*KINDS, *NAMES})),
    metavar="KIND",
    help="acr (or container-registry), azure-devops, github or kudu",
)
@click.argument("file", metavar="FILE", type=FILE, help="the file with the body; - for standard input")
@click.option("--url", metavar="URL", help=f"the address of the app (default: the setting {APP_URL})")
@click.option(
    "--secret-file", metavar="FILE", type=FILE, help="a file with the secret that GitHub signs with"
)
@click.option("--key-file", metavar="FILE", type=FILE, help="a file with the key of the hook's function")
@json_option
@local_option
def command(
    *,
    kind: str,
    file: str,
    url: str | None,
    secret_file: str | None,
    key_file: str | None,
    as_json: bool,
) -> int:
    """Post the body.

    Returns:
        The exit status, as the help has it.
    """
    kind = NAMES.get(kind, kind)
    try:
        body = content_of(file)
        address = hook_address(url or setting(os.environ, APP_URL), kind)
        findings = [*_doubts(body, kind)]
        headers = {"Content-Type": "application/json"} | _key_header(key_file)
        if kind == GITHUB:
            headers |= github_headers(body, _secret(secret_file))
        with waiting(f"posting to {address}"):
            answer = _posted(address, body, headers)
    except EventError as error:
        return print_failure(EventError(f"{file}: {error}"), as_json=as_json, status=NOT_TAKEN)
    except UpdraftError as error:
        return print_failure(error, as_json=as_json, status=NOT_TAKEN)
    outcomes = _outcomes(answer)
    findings += _result(answer, outcomes, file)
    if as_json:
        print_json(report(findings, status=answer.status, answer=answer.body))
    else:
        if outcomes is not None:
            counted = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
            print(printable(f"the app answered {answer.status}: {counted or 'no rule matches'}"), flush=True)
            if _GOOD & outcomes.keys():
                matches = updraft_on(file, "explain", "--matches", "--as", kind)
                print(printable(f"  its rules and runs: `{matches}`"), flush=True)
        print_findings(findings)
    if outcomes is None:
        return NOT_TAKEN
    return 1 if split(findings)[0] else 0


def _posted(address: str, body: bytes, headers: dict[str, str]) -> "Answer":
    """Post a body to the app.

    Raises:
        UpdraftError: The app gives no answer.
    """
    from cli.publish.posting import post

    try:
        return post(address, body, headers)
    except UpdraftError as error:
        start = f"; start the app: `{START_APP}`" if is_local() and "refused" in str(error) else ""
        raise UpdraftError(f"{error}{start}") from error


def hook_address(url: str, kind: str) -> str:
    """Return the address of a hook.

    Args:
        url: The app's address.
        kind: The kind, as the app calls it.

    Raises:
        SettingsError: It is missing, or neither https nor on this machine: the request may have a key.
    """
    example = "https://contoso.azurewebsites.net"
    if not url:
        raise SettingsError(f"no app is named: pass --url URL, or set {APP_URL}, as in {example}{or_local()}")
    try:
        check_address(url, name="url", example=example)
    except ValueError as error:
        raise SettingsError(f"{error} (--url, or {APP_URL})") from None
    return f"{url.rstrip('/')}/api/hooks/{kind}"


def github_headers(body: bytes, secret: str) -> dict[str, str]:
    """Return the headers with which GitHub delivers a body.

    Source: https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries.

    Args:
        body: The raw body.
        secret: The webhook's secret.
    """
    from shared.event.github_events import event_of
    from shared.values.json_text import parse

    try:
        document = parse(body.decode("utf-8-sig", errors="replace"))
    except EventError:
        document = None
    digest = hmac.digest(secret.encode(), body, hashlib.sha256).hex()
    return {
        "X-GitHub-Event": event_of(document) if isinstance(document, dict) else "other",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": f"sha256={digest}",
    }


def _secret(file: str | None) -> str:
    """Return the newest value of the secret with which GitHub signs.

    Raises:
        SettingsError: No secret is named, or the file does not have one.
        SecretUnavailable: Key Vault does not return it.
    """
    from shared.callers.shared_secrets import SHORTEST, SharedSecret, shared_values

    if file is not None:
        values = shared_values(_text(file, "secret"))
        if values is None:
            raise SettingsError(
                f"{file} does not have a secret that the app accepts: write one value of at least {SHORTEST} "
                "visible characters, or a new and an old value with a space between"
            )
        return values[0]
    from cli.key_vaults import key_vaults
    from shared.settings import InboundSettings

    if not setting(os.environ, GITHUB_SECRET):
        raise SettingsError(
            f"no secret is named: pass --secret-file FILE, or set {GITHUB_SECRET} to the name "
            f"of the secret in Key Vault{or_local()}"
        )
    settings = InboundSettings(os.environ)
    vault = key_vaults(os.environ).own
    with waiting(f"reading the secret {settings.github_secret()} from Key Vault"):
        return SharedSecret(vault, settings.github_secret, setting=GITHUB_SECRET).values()[0]


def _key_header(file: str | None) -> dict[str, str]:
    """Return the header with the function's key; empty without a key, as on a developer's machine."""
    key = _text(file, "key") if file is not None else setting(os.environ, FUNCTION_KEY)
    if key and not (key.isascii() and key.isprintable()):
        raise SettingsError("the key of the function has a character that is not allowed in a key")
    return {"x-functions-key": key} if key else {}


def _text(file: str, what: str) -> str:
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(f"{file}: the file with the {what} cannot be read: {reason}") from None


def _doubts(body: bytes, kind: str) -> Iterator[Finding]:
    """Yield a warning if a body looks like one of another kind: the app will refuse it."""
    from shared.event.body_shapes import likely_kind
    from shared.values.json_text import parse

    try:
        document = parse(body.decode("utf-8-sig"))
    except (EventError, UnicodeDecodeError):
        return
    like = likely_kind(document) if isinstance(document, dict) else None
    if like not in {None, kind}:
        yield Finding("OtherKind", f"the body looks like one of kind {like}, not {kind}", severity="warning")


def _outcomes(answer: "Answer") -> JsonObject | None:
    """Return the number of deliveries by outcome; None if the app did not take the body."""
    outcomes = answer.body.get("outcomes")
    return outcomes if answer.good and isinstance(outcomes, dict) else None


def _result(answer: "Answer", outcomes: JsonObject | None, file: str) -> Iterator[Finding]:
    """Yield why the body starts no run."""
    if outcomes is None:
        code = answer.body.get("code")
        named = f" ({code})" if isinstance(code, str) else ""
        words = f": {answer.words}" if answer.words else ""
        yield Finding("Refused", f"the app answered {answer.status}{named}{words}")
    elif "rejected" in outcomes:
        yield Finding("Rejected", "the app rejected the event", "read the reason", updraft("replay", "list"))
    elif not _GOOD & outcomes.keys():
        fix, command = "find the condition that fails", updraft_on(file, "explain")
        yield Finding("Unmatched", "no rule matches the body", fix, command)
