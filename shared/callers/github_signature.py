"""Verifies GitHub's signature of a delivery: an HMAC over the raw body with a shared secret.

Source: https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries.
"""

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shared.callers.shared_secrets import SharedSecret

HEADER: Final = "x-hub-signature-256"
_FORM: Final = re.compile(r"sha256=[0-9a-f]{64}")


class GitHubSignature:
    """Verifies signatures; safe to use from any thread.

    Args:
        secret: The shared secret.
    """

    def __init__(self, secret: "SharedSecret") -> None:
        self._secret = secret

    def verify(self, body: bytes, signature: str, *, since: float | None = None) -> bool:
        """Return whether a signature is GitHub's, for this body.

        A value without a signature's form is refused at once, so that it does not cost a read of the secret.

        Args:
            body: The raw body.
            signature: The header's value.
            since: When the delivery arrived, in Unix seconds, if before this call.

        Raises:
            KeysUnavailable: It cannot be verified now.
            SettingsError: The setting for the secret is missing.
        """
        if not _FORM.fullmatch(signature):
            return False
        given = bytes.fromhex(signature.removeprefix("sha256="))

        def fits(value: str) -> bool:
            return hmac.compare_digest(given, hmac.digest(value.encode(), body, hashlib.sha256))

        return self._secret.find(fits, since=since) is not None
