"""`POST hooks/{kind}`: deployment webhooks of Kudu, GitHub, Azure DevOps and a container registry.

These senders cannot get an Entra token, so the platform has checked the function key. GitHub also signs its
deliveries, and the signature is verified.

The order is fixed: form -> signature -> rate -> event. The rate is after the signature, so that a sender
without the secret cannot use up the rate of GitHub, which does not send a delivery again. For the same reason
a delivery whose signature cannot be verified now is parked (`shared/delivery/unverified_hooks.py`).
"""

import codecs
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from shared.callers import Rates
from shared.callers.github_signature import HEADER, GitHubSignature
from shared.callers.shared_secrets import SharedSecret
from shared.errors import KeysUnavailable, SettingsError
from shared.event import KINDS
from shared.event.via import HOOK_VIAS
from shared.http_api.refusals import answered
from shared.stores.work_items import HEADERS_KEPT, UnverifiedHook
from shared.values.hook_settings import DEFAULT_RATE, GITHUB, GITHUB_SECRET
from shared.web import JSON_TYPES, CallRefused, Reply, Request, read_body

if TYPE_CHECKING:
    from shared.azure.key_vault import Secrets
    from shared.delivery.intake import Intake
    from shared.delivery.outcomes import Outcome

HOOK_LIMIT: Final = 1_048_576
"""Bytes; the largest deployment payloads have about ten thousand."""
_NOT_SET_UP: Final = (
    f"GitHub's webhooks are not configured: the operator has to set {GITHUB_SECRET} and its Key Vault"
)
_CLOCKS_APART: Final = 5.0
"""Seconds that the clocks of two instances may differ."""


class WebhooksEndpoint:
    """Receives deployment webhooks; safe to use from any thread.

    Args:
        intake: Handles the events.
        secrets: The vault with GitHub's secret.
        github_secret: Returns the secret's name; raises `SettingsError` if it is not set.
        rates: The used part of the rate of each kind.
        rate: The rate of each kind, as in `600/m`.
        clock: Unix seconds.
        monotonic: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        intake: "Intake",
        secrets: "Secrets",
        github_secret: Callable[[], str],
        rates: Rates,
        rate: str = DEFAULT_RATE,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._intake = intake
        secret = SharedSecret(secrets, github_secret, setting=GITHUB_SECRET, clock=clock, monotonic=monotonic)
        self._signature = GitHubSignature(secret)
        self._clock = clock
        self._rates = rates
        self._rate = rate

    @answered
    def receive(self, request: Request, kind: str) -> Reply:
        """Handle one delivery; an unreadable one becomes a dead letter.

        Args:
            request: The delivery.
            kind: `kudu`, `github`, `azure-devops` or `acr`.

        Raises:
            CallRefused: It is not accepted.
            ConfigurationError: The rules are not configured.
            StorageUnavailable: It could be neither handled nor stored.
        """
        if kind not in KINDS:
            raise CallRefused(404, "unknown_hook", f"the kinds of hooks are {', '.join(sorted(KINDS))}")
        body = read_body(request, limit=HOOK_LIMIT, media_types=JSON_TYPES)
        if body.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
            raise CallRefused(400, "bad_body", "the body is an array; a hook sends one JSON object")
        if kind == GITHUB:
            signature = request.headers.get(HEADER, "").strip()
            try:
                is_valid = self._signature.verify(body, signature)
            except KeysUnavailable as error:
                return self._park_unverified(request, kind, signature, error)
            except SettingsError as error:
                raise CallRefused(503, "not_configured", _NOT_SET_UP, inside=str(error)) from error
            if not is_valid:
                raise CallRefused(403, "bad_signature", "X-Hub-Signature-256 does not match the body")
        self._rates.spend_hook(kind, self._rate)
        outcomes = self._intake.receive(body, via=HOOK_VIAS[kind], kind=kind, headers=request.headers)
        return _accepted(outcomes)

    def verify(self, hook: UnverifiedHook, first_seen: datetime) -> bool:
        """Return whether the signature of a parked delivery is valid.

        Args:
            hook: The delivery.
            first_seen: When it arrived, with a time zone.

        Raises:
            KeysUnavailable: It cannot be verified now.
            SettingsError: The setting with the name of GitHub's secret was removed.
        """
        since = first_seen.timestamp() + _CLOCKS_APART
        return self._signature.verify(hook.body, hook.signature, since=since)

    def _park_unverified(self, request: Request, kind: str, signature: str, error: KeysUnavailable) -> Reply:
        """Park a delivery until its signature can be verified: GitHub does not send it again."""
        hook = UnverifiedHook(
            hook=kind,
            body=request.body,
            signature=signature,
            headers={name: request.headers[name] for name in HEADERS_KEPT if name in request.headers},
        )
        arrived = datetime.fromtimestamp(self._clock(), UTC)
        outcome = self._intake.hooks.take_in(hook, first_seen=arrived, delay=error.retry_after)
        if outcome is None:
            raise error
        return _accepted([outcome])


def _accepted(outcomes: "list[Outcome]") -> Reply:
    return Reply(202, {"outcomes": dict(Counter(outcome.kind.value for outcome in outcomes))})
