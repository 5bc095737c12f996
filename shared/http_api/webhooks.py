"""What Kudu, GitHub, Azure DevOps and a container registry post about deployments.

The platform has checked the key of the kind's own function by then: these senders cannot get an Entra token.
GitHub signs its deliveries besides, and the signature is verified.

The order is fixed: form -> signature -> rate -> event. The rate comes after the signature, so that nobody who
cannot sign can use up what GitHub's deliveries need: GitHub does not send them again.
"""

import codecs
import hashlib
import hmac
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from shared.callers import Rates
from shared.errors import CredentialError
from shared.event import KINDS
from shared.event.via import HOOK_VIAS
from shared.log import LOGGER
from shared.throttle import Throttle
from shared.values.hook_settings import DEFAULT_RATE, GITHUB
from shared.web import JSON_TYPES, CallRefused, Reply, Request, read_body

if TYPE_CHECKING:
    from shared.azure.key_vault import Secrets
    from shared.delivery.intake import Intake

HOOK_LIMIT: Final = 1_048_576
"""Bytes; the largest deployment payloads have some ten thousand."""


class WebhooksEndpoint:
    """Takes deployment hooks in; safe to use from any thread.

    Args:
        intake: Where events are handled.
        secrets: Where GitHub's secret is read.
        github_secret: Gives its name; raises `SettingsError` where there is none.
        rates: What each kind has used of its rate.
        rate: What each kind may use, as in `600/m`.
    """

    def __init__(
        self,
        *,
        intake: "Intake",
        secrets: "Secrets",
        github_secret: Callable[[], str],
        rates: Rates,
        rate: str = DEFAULT_RATE,
    ) -> None:
        self._intake = intake
        self._secrets = secrets
        self._github_secret = github_secret
        self._rates = rates
        self._rate = rate
        self._reread = Throttle()

    def receive(self, request: Request, kind: str) -> Reply:
        """Handle one hook; what cannot be read is kept as a dead letter, as nobody reads the answer.

        Args:
            request: The hook.
            kind: `kudu`, `github`, `azure-devops` or `acr`.

        Raises:
            CallRefused: It is not taken in.
            ConfigurationError: The rules, or GitHub's secret, are not set up.
            StorageUnavailable: It could be neither handled nor kept.
        """
        if kind not in KINDS:
            raise CallRefused(404, "unknown_kind", f"there are hooks for {', '.join(sorted(KINDS))}")
        body = read_body(request, limit=HOOK_LIMIT, media_types=JSON_TYPES)
        if kind == GITHUB:
            self._check_signature(request, body)
        self._rates.spend_hook(kind, self._rate)
        if body.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
            raise CallRefused(400, "bad_body", "a hook posts one JSON object, and this is an array")
        outcomes = self._intake.receive(body, via=HOOK_VIAS[kind], kind=kind, headers=request.headers)
        return Reply(202, {"outcomes": dict(Counter(outcome.kind.value for outcome in outcomes))})

    def _check_signature(self, request: Request, body: bytes) -> None:
        """Verify what GitHub signs (https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries).

        A signature that fails may be one of a new secret: it is read again, at most once a minute.
        """
        given = request.headers.get("x-hub-signature-256", "").strip().encode(errors="replace")
        name = self._github_secret()
        try:
            good = _signed(given, body, self._secrets.get(name)) or (
                self._reread.enter() and _signed(given, body, self._secrets.refresh(name))
            )
        except CredentialError as error:
            LOGGER.error("GitHub's deliveries cannot be verified: %s", error)
            raise CallRefused(503, "secret_unavailable", "signatures cannot be verified just now") from None
        if not good:
            raise CallRefused(403, "bad_signature", "X-Hub-Signature-256 is not this body's signature")


def _signed(given: bytes, body: bytes, secret: str) -> bool:
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(given, expected.encode())
