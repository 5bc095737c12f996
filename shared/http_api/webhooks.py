"""What Kudu, GitHub, Azure DevOps and a container registry post about deployments.

The platform has checked the key of the kind's own function by then: these senders cannot get an Entra token.
GitHub signs its deliveries besides, and the signature is verified.

The order is fixed: form -> signature -> rate -> event. The rate comes after the signature, so that nobody who
cannot sign can use up what GitHub's deliveries need: GitHub does not send them again. For the same reason a
delivery whose signature cannot be verified just now is taken in and waits for that
(`shared/delivery/unverified_hooks.py`).
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
"""Bytes; the largest deployment payloads have some ten thousand."""
_NOT_SET_UP: Final = (
    f"GitHub's hooks are not set up: the operator has to set {GITHUB_SECRET}, and the Key Vault that holds it"
)
_CLOCKS_APART: Final = 5.0
"""Seconds that the clocks of two instances may differ."""


class WebhooksEndpoint:
    """Takes deployment hooks in; safe to use from any thread.

    Args:
        intake: Where events are handled.
        secrets: Where GitHub's secret is read.
        github_secret: Gives its name; raises `SettingsError` where there is none.
        rates: What each kind has used of its rate.
        rate: What each kind may use, as in `600/m`.
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
        """Handle one hook; what cannot be read is kept as a dead letter, as nobody reads the answer.

        Args:
            request: The hook.
            kind: `kudu`, `github`, `azure-devops` or `acr`.

        Raises:
            CallRefused: It is not taken in.
            ConfigurationError: The rules are not set up.
            StorageUnavailable: It could be neither handled nor kept.
        """
        if kind not in KINDS:
            raise CallRefused(404, "unknown_hook", f"there are hooks for {', '.join(sorted(KINDS))}")
        body = read_body(request, limit=HOOK_LIMIT, media_types=JSON_TYPES)
        if body.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
            raise CallRefused(400, "bad_body", "a hook posts one JSON object, and this is an array")
        if kind == GITHUB:
            signature = request.headers.get(HEADER, "").strip()
            try:
                good = self._signature.verify(body, signature)
            except KeysUnavailable as error:
                return self._take_in_unverified(request, kind, signature, error)
            except SettingsError as error:
                raise CallRefused(503, "not_configured", _NOT_SET_UP, inside=str(error)) from error
            if not good:
                raise CallRefused(403, "bad_signature", "X-Hub-Signature-256 is not this body's signature")
        self._rates.spend_hook(kind, self._rate)
        outcomes = self._intake.receive(body, via=HOOK_VIAS[kind], kind=kind, headers=request.headers)
        return _taken(outcomes)

    def verify(self, hook: UnverifiedHook, first_seen: datetime) -> bool:
        """Tell whether the signature of a delivery that has waited is good.

        Args:
            hook: The delivery.
            first_seen: When it came, with a time zone.

        Raises:
            KeysUnavailable: That cannot be said now.
            SettingsError: GitHub's secret is not named any more.
        """
        since = first_seen.timestamp() + _CLOCKS_APART
        return self._signature.verify(hook.body, hook.signature, since=since)

    def _take_in_unverified(
        self, request: Request, kind: str, signature: str, error: KeysUnavailable
    ) -> Reply:
        """Park a delivery until its signature can be verified: GitHub does not send it again."""
        hook = UnverifiedHook(
            hook=kind,
            body=request.body,
            signature=signature,
            headers={name: request.headers[name] for name in HEADERS_KEPT if name in request.headers},
        )
        came = datetime.fromtimestamp(self._clock(), UTC)
        outcome = self._intake.hooks.take_in(hook, first_seen=came, delay=error.retry_after)
        if outcome is None:
            raise error
        return _taken([outcome])


def _taken(outcomes: "list[Outcome]") -> Reply:
    return Reply(202, {"outcomes": dict(Counter(outcome.kind.value for outcome in outcomes))})
