"""`updraft hook KIND FILE`: post a webhook's body to the app, as the sender of that kind would."""

import hashlib
import hmac
import os
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cli.explain.explained import read_body
from cli.options import FILE, json_option
from cli.output import print_error, print_json, printable
from shared.errors import EventError, SettingsError, UpdraftError
from shared.event.via import KINDS
from shared.values.app_settings import setting
from shared.values.hook_settings import GITHUB, GITHUB_SECRET
from shared.values.urls import check_address

if TYPE_CHECKING:
    from cli.publish.posting import Answer

NAMES: Final = {"container-registry": "acr"}
"""Names of kinds that are easier to remember than the app's own."""
APP_URL: Final = "UPDRAFT_URL"
"""The setting with the app's own address."""
FUNCTION_KEY: Final = "UPDRAFT_FUNCTION_KEY"
"""The environment variable with the key of the hook's function. The app itself does not read it."""
_GOOD: Final = frozenset({"started", "duplicate", "coalesced", "superseded", "parked"})


@click.command(
    "hook",
    help="Post the body of a webhook to the app, as its sender would, and show the result: what GitHub, Kudu,"
    " Azure DevOps or a container registry sends. A body for GitHub is signed with the secret of the app: "
    "that of --secret-file, or the Key Vault secret that the setting UPDRAFT_GITHUB_SECRET names, read as "
    "this process's identity (setting UPDRAFT_KEY_VAULT_URI). In Azure the function of each hook has a key: "
    "that of --key-file, or of the environment variable UPDRAFT_FUNCTION_KEY. A body has one identity: "
    "posted a second time, it ends as a duplicate.",
    epilog="Exit status: 0 where the app has taken the body in; 1 where it started nothing: the body was "
    "rejected, or no rule matches; 2 where the app did not take it in, with the reason.",
)
@click.argument(
    "kind",
    type=click.Choice(sorted({*KINDS, *NAMES})),
    metavar="KIND",
    help="acr (or container-registry), azure-devops, github or kudu",
)
@click.argument("file", metavar="FILE", type=FILE, help="the file with the body; - for standard input")
@click.option("--url", help=f"the address of the app (default: the setting {APP_URL})")
@click.option(
    "--secret-file", metavar="FILE", type=FILE, help="a file with the secret that GitHub signs with"
)
@click.option("--key-file", metavar="FILE", type=FILE, help="a file with the key of the hook's function")
@json_option
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
    from cli.publish.posting import post

    kind = NAMES.get(kind, kind)
    try:
        body = _content(file)
        address = hook_address(url or setting(os.environ, APP_URL), kind)
        _warn(body, kind)
        headers = {"Content-Type": "application/json"} | _key_header(key_file)
        if kind == GITHUB:
            headers |= github_headers(body, _secret(secret_file))
        answer = post(address, body, headers)
    except UpdraftError as error:
        print_error(error)
        return 2
    if as_json:
        print_json({"status": answer.status, "answer": answer.body})
    return _result(answer, quiet=as_json)


def hook_address(url: str, kind: str) -> str:
    """Return the address of a hook.

    Args:
        url: The app's address.
        kind: The kind, as the app calls it.

    Raises:
        SettingsError: There is none, or it is neither https nor on this machine: a key may travel there.
    """
    example = "https://contoso.azurewebsites.net"
    if not url:
        raise SettingsError(f"no app is named: pass --url URL, or set {APP_URL}, as in {example}")
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
    """Return what GitHub signs with: the newest value of the secret.

    Raises:
        SettingsError: Nothing says where it is, or the file holds none.
        SecretUnavailable: Key Vault gives none.
    """
    from shared.callers.shared_secrets import SHORTEST, SharedSecret, shared_values

    if file is not None:
        values = shared_values(_text(file, "secret"))
        if values is None:
            raise SettingsError(
                f"{file} holds no secret that the app takes: one value of at least {SHORTEST} visible "
                "characters, or a new and an old one with a space between"
            )
        return values[0]
    from shared.azure.credential import azure_credential
    from shared.azure.key_vault import Vaults
    from shared.settings import InboundSettings, Settings

    if not setting(os.environ, GITHUB_SECRET):
        raise SettingsError(
            f"nothing says which secret signs: pass --secret-file FILE, or set {GITHUB_SECRET} to the name "
            "of the secret in Key Vault"
        )
    name = InboundSettings(os.environ).github_secret
    vault = Vaults(Settings.of(os.environ), azure_credential).own
    return SharedSecret(vault, name, setting=GITHUB_SECRET).values()[0]


def _key_header(file: str | None) -> dict[str, str]:
    """Return the header with the function's key; none where there is no key, as on one machine."""
    key = _text(file, "key") if file is not None else setting(os.environ, FUNCTION_KEY)
    if key and not (key.isascii() and key.isprintable()):
        raise SettingsError("the key of the function holds a character that no key has")
    return {"x-functions-key": key} if key else {}


def _text(file: str, what: str) -> str:
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(f"{file}: the file with the {what} cannot be read: {reason}") from None


def _content(file: str) -> bytes:
    content = read_body(file)
    if isinstance(content, OSError):
        raise EventError(f"{file}: the file cannot be read: {content.strerror or content}")
    return content


def _warn(body: bytes, kind: str) -> None:
    """Say where a body looks like one of another kind: the app will refuse it."""
    from shared.event.body_shapes import likely_kind
    from shared.values.json_text import parse

    try:
        document = parse(body.decode("utf-8-sig"))
    except (EventError, UnicodeDecodeError):
        return
    like = likely_kind(document) if isinstance(document, dict) else None
    if like not in {None, kind}:
        print(f"warning: the body looks like one of kind {like}, not {kind}", file=sys.stderr)


def _result(answer: "Answer", *, quiet: bool) -> int:
    """Say what the app has answered, and return the exit status."""
    outcomes = answer.body.get("outcomes")
    if not answer.good or not isinstance(outcomes, dict):
        code = answer.body.get("code")
        named = f" ({code})" if isinstance(code, str) else ""
        words = f": {answer.words}" if answer.words else ""
        print(printable(f"the app answered {answer.status}{named}{words}"), file=sys.stderr)
        return 2
    counted = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    if not quiet:
        print(printable(f"the app answered {answer.status}: {counted or 'no rule matches'}"))
    if "rejected" in outcomes:
        print("`updraft replay list` has the reason", file=sys.stderr)
    elif not _GOOD & outcomes.keys():
        print("no rule matches: `updraft explain FILE` says why", file=sys.stderr)
    return 0 if _GOOD & outcomes.keys() and "rejected" not in outcomes else 1
