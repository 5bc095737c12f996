"""The claims of a connection's credential. They identify it, and give no access."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared.values.wording import duration_text

if TYPE_CHECKING:
    from shared.azure.key_vault import Vaults
    from shared.rules import Connection
    from shared.rules.model.auth import Auth

SHOWN: Final = ("iss", "aud", "tid", "oid", "appid", "azp", "sub", "idtyp", "roles", "scp")
"""The claims that are shown: who, for whom, and which roles."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a header's value, unverified.

    Attributes:
        scheme: `Bearer` or `Basic`.
        claims: The token's claims; empty if they cannot be read.
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

    def shown(self, now: float) -> dict[str, str]:
        """Return the claims that are shown, and the expiry, by name.

        Args:
            now: Unix seconds.
        """
        found = {name: _text(self.claims[name]) for name in SHOWN if name in self.claims}
        expiry = self.claims.get("exp")
        if isinstance(expiry, (int, float)):
            found["expires"] = _in(expiry - now)
        return found

    def lines(self, now: float) -> Iterator[str]:
        """Yield the claims for people; arguments as `shown`."""
        if self.scheme == "Basic":
            yield "a user name and a password"
        elif not self.claims:
            yield "opaque: it has no readable claims"
        else:
            yield from (f"{name}: {value}" for name, value in self.shown(now).items())


def claims_of(
    connection: "Connection", auth: "Auth", vaults: "Vaults", addresses: Mapping[str, str]
) -> Claims:
    """Get a connection's credential as the app does, and return its claims.

    Args:
        connection: The connection.
        auth: One of its ways to sign in.
        vaults: The process's Key Vaults.
        addresses: The addresses of the vaults that rules.yaml names, by name.

    Raises:
        CredentialError: There is no credential.
        SettingsError: A setting that it needs is missing or unusable.
    """
    from shared.airflow.auth.source import header_source
    from shared.azure.credential import azure_credential

    secrets = vaults.named(connection.vault, addresses)
    source = header_source(connection, auth, secrets=secrets, credential=azure_credential)
    return Claims.of(source.claims_text())


def _in(seconds: float) -> str:
    return f"in {duration_text(seconds)}" if seconds > 0 else f"{duration_text(-seconds)} ago"


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
