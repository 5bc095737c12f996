"""The `auth` of a connection: one kind or a list of two, and the checks of their combinations."""

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag

from shared.rules.model.auth_clouds import AwsAuth, GoogleAuth
from shared.rules.model.auth_kinds import (
    AirflowAuth,
    AuthBase,
    BasicAuth,
    BearerAuth,
    EntraAuth,
    EntraExchangeAuth,
    OidcAuth,
)
from shared.values.app_settings import setting_names

_MWAA_WEB_SERVER: Final = re.compile(
    r"\.[a-z]+(-[a-z]+)+-[0-9]+\.airflow\.amazonaws\.com(\.cn)?$|\.airflow\.[a-z0-9-]+\.on\.aws$"
)

type Auth = Annotated[
    EntraAuth | EntraExchangeAuth | AirflowAuth | OidcAuth | BearerAuth | BasicAuth | GoogleAuth | AwsAuth,
    Field(discriminator="kind"),
]
type Auths = Annotated[
    Annotated[Auth, Tag("one")] | Annotated[list[Auth], Field(min_length=2, max_length=2), Tag("two")],
    Discriminator(lambda given: "two" if isinstance(given, list) else "one"),
]

KINDS: Final[dict[str, type[AuthBase]]] = {
    "airflow": AirflowAuth,
    "aws": AwsAuth,
    "basic": BasicAuth,
    "bearer": BearerAuth,
    "entra": EntraAuth,
    "entra_exchange": EntraExchangeAuth,
    "google": GoogleAuth,
    "oidc": OidcAuth,
}


def needs_vault(auth: Auth) -> bool:
    """Return whether a kind reads a secret from Key Vault."""
    return any(name.endswith("_secret") and getattr(auth, name) for name in type(auth).model_fields)


def check_auths(auths: tuple[Auth, ...], *, api: str, url: str) -> None:
    """Check the kinds together with each other and with the connection.

    Raises:
        ValueError: The combination cannot work.
    """
    if any(isinstance(auth, AwsAuth) for auth in auths):
        _check_aws(auths, url)
    headers = [auth.header.lower() for auth in auths]
    if len(set(headers)) < len(headers):
        raise ValueError(
            f"two kinds of `auth` share the header `{headers[0]}`; write another `header` for the proxy's"
        )
    for auth in auths:
        exchanges = isinstance(auth, OidcAuth) and auth.exchange
        if api == "v1" and (exchanges or isinstance(auth, (AirflowAuth, EntraExchangeAuth))):
            what = "`exchange`" if exchanges else f"`kind: {auth.kind}`"
            raise ValueError(
                f"`api: v1` and {what} exclude each other: Airflow 2 has no /auth/token; write `kind: basic`"
            )


def _check_aws(auths: tuple[Auth, ...], url: str) -> None:
    if len(auths) > 1:
        raise ValueError(
            "`kind: aws` cannot be combined: it signs requests to AWS, which no proxy reads; delete the other"
        )
    if setting_names(url):
        return
    parts = urlsplit(url)
    if parts.path.strip("/") or _MWAA_WEB_SERVER.search(parts.hostname or ""):
        raise ValueError(
            "with `kind: aws`, `url` is MWAA's API, not the environment's web server; write one "
            "such as https://env.airflow.eu-central-1.amazonaws.com, or a VPC endpoint of it"
        )
