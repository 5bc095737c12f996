"""The kinds of authentication in rules.yaml: how this app proves to an Airflow who it is."""

import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from shared.rules.model.base import StrictModel, Text
from shared.values.app_settings import setting_names
from shared.values.urls import check_address
from shared.values.wording import shown

AUTHORIZATION: Final = "Authorization"
"""The one header that Airflow itself reads."""

_KIND: Final = "How this app proves to Airflow who it is."
_OURS: Final = frozenset(
    {"accept", "connection", "content-length", "content-type", "host", "transfer-encoding", "user-agent"}
)
_IDENTITY: Final = (
    "The client id of a user-assigned managed identity; without it the app's own identity is used."
)

_MWAA_WEB_SERVER: Final = re.compile(
    r"\.[a-z]+(-[a-z]+)+-[0-9]+\.airflow\.amazonaws\.com(\.cn)?$|\.airflow\.[a-z0-9-]+\.on\.aws$"
)

type Header = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")]


class _Auth(StrictModel):
    """What every kind has: the header that its proof travels in."""

    header: Header = Field(
        default=AUTHORIZATION,
        description="The header that carries it: another one for a proxy in front of Airflow.",
        examples=["X-Proxy-Authorization"],
    )

    @field_validator("header")
    @classmethod
    def _free(cls, header: str) -> str:
        if header.lower() in _OURS:
            raise ValueError(f"the header `{header}` belongs to the request itself; choose another")
        return header

    def airflow_at(self, url: str) -> str:
        """Return a text that is different for each Airflow: the connection's url, unless many share it."""
        return url

    @property
    def has_web_pages(self) -> bool:
        """Whether people find a run at the connection's url, too."""
        return True

    @property
    def credential_text(self) -> str:
        """What is fetched, for `updraft doctor`."""
        return f"a token for the header {self.header}"


class EntraAuth(_Auth):
    """A bearer token of Microsoft Entra ID, got as this app's managed identity."""

    kind: Literal["entra"] = Field(description=_KIND)
    scope: Text = Field(
        description="The scope to ask a token for: the Application ID URI of the Airflow's app registration.",
        examples=["api://airflow/.default"],
    )
    client_id: Text | None = Field(
        default=None,
        description=_IDENTITY,
        examples=["%UPDRAFT_IDENTITY_CLIENT_ID%"],
    )


class EntraExchangeAuth(_Auth):
    """Airflow's own token, got for an Entra token at `/auth/token` (grant type jwt-bearer)."""

    kind: Literal["entra_exchange"] = Field(description=_KIND)
    scope: Text = Field(
        description="The scope of the Entra token that is exchanged: the Application ID URI of the Airflow's "
        "app registration.",
        examples=["api://airflow/.default"],
    )
    client_id: Text | None = Field(default=None, description=_IDENTITY)


class _PasswordAuth(_Auth):
    """A kind with a user name and a password."""

    username: Text | None = Field(default=None, description="The user's name.", examples=["updraft"])
    username_secret: Text | None = Field(
        default=None, description="The name of the Key Vault secret that holds the user's name."
    )
    password_secret: Text = Field(
        description="The name of the Key Vault secret that holds the password.", examples=["airflow-password"]
    )

    @model_validator(mode="after")
    def _one_name(self) -> "_PasswordAuth":
        if (self.username is None) == (self.username_secret is None):
            raise ValueError("a user needs one name; write either `username` or `username_secret`")
        return self


class AirflowAuth(_PasswordAuth):
    """Airflow's own token (`/auth/token`), for a user whose password lies in Key Vault."""

    kind: Literal["airflow"] = Field(description=_KIND)


class BasicAuth(_PasswordAuth):
    """User name and password with each request (RFC 7617), as Airflow 2 takes them."""

    kind: Literal["basic"] = Field(description=_KIND)


class BearerAuth(_Auth):
    """A token that does not change by itself, such as Astronomer's, from Key Vault."""

    kind: Literal["bearer"] = Field(description=_KIND)
    token_secret: Text = Field(
        description="The name of the Key Vault secret that holds the token.", examples=["astronomer-token"]
    )


class OidcAuth(_Auth):
    """A token of an OAuth 2 server for a client: with the managed identity's token as proof, or a secret."""

    kind: Literal["oidc"] = Field(description=_KIND)
    token_url: Text = Field(
        description="The server's token endpoint.",
        examples=["https://keycloak.contoso.example/realms/data/protocol/openid-connect/token"],
    )
    client_id: Text = Field(
        description="The client's id at that server, which is not the managed identity's.",
        examples=["updraft"],
    )
    scope: Text | None = Field(default=None, description="The scope to ask for, where the server wants one.")
    assertion_scope: Text | None = Field(
        default=None,
        description="The scope of the managed identity's token that is the client's proof "
        "(`client_assertion`, RFC 7523); without it api://AzureADTokenExchange/.default.",
    )
    identity_client_id: Text | None = Field(default=None, description=_IDENTITY)
    exchange: bool = Field(
        default=False,
        description="Exchange the server's token for Airflow's own at `/auth/token`, as Keycloak's auth "
        "manager wants it.",
    )
    client_secret_secret: Text | None = Field(
        default=None,
        description="The name of the Key Vault secret that holds the client's secret, for a server that "
        "cannot take the managed identity's token.",
    )

    @field_validator("token_url")
    @classmethod
    def _address(cls, url: str) -> str:
        check_address(url, name="token_url", example="https://login.contoso.example/token")
        return url

    @model_validator(mode="after")
    def _one_proof(self) -> "OidcAuth":
        if self.client_secret_secret and (self.assertion_scope or self.identity_client_id):
            raise ValueError(
                "`client_secret_secret` and the managed identity's token (`assertion_scope`, "
                "`identity_client_id`) exclude each other: a client has one credential; leave one out"
            )
        return self


class GoogleAuth(_Auth):
    """A Google token for Cloud Composer: workload identity federation, then a service account."""

    kind: Literal["google"] = Field(description=_KIND)
    audience: Text = Field(
        description="The workload identity pool's provider.",
        examples=[
            "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/azure/providers/updraft"
        ],
    )
    service_account: Text = Field(
        description="The service account that is impersonated.",
        examples=["updraft@contoso.iam.gserviceaccount.com"],
    )
    scope: Text = Field(
        description="The scope of the Entra token that is exchanged: the provider's allowed audience.",
        examples=["api://google-federation/.default"],
    )
    google_scope: Text = Field(
        default="https://www.googleapis.com/auth/cloud-platform",
        description="The scope of the Google token; Composer takes this one only.",
    )
    client_id: Text | None = Field(default=None, description=_IDENTITY)
    sts_url: Text = Field(
        default="https://sts.googleapis.com/v1/token",
        description="Google's token exchange, or a private endpoint of it.",
    )
    iam_url: Text = Field(
        default="https://iamcredentials.googleapis.com",
        description="Google's service-account credentials API, or a private endpoint of it.",
    )

    @field_validator("sts_url", "iam_url")
    @classmethod
    def _address(cls, url: str) -> str:
        check_address(url, name="sts_url and iam_url", example="https://sts.googleapis.com/v1/token")
        return url


class AwsAuth(_Auth):
    """Requests signed with an AWS role's credentials, for Amazon MWAA (`InvokeRestApi`)."""

    kind: Literal["aws"] = Field(description=_KIND)
    environment: Text = Field(description="The MWAA environment's name.", examples=["data-platform"])
    region: Text = Field(description="The environment's AWS region.", examples=["eu-central-1"])
    role_arn: Text = Field(
        description="The IAM role that is assumed.", examples=["arn:aws:iam::123456789012:role/updraft"]
    )
    scope: Text = Field(
        description="The scope of the Entra token that AWS's OIDC provider takes: its audience.",
        examples=["api://aws-federation/.default"],
    )
    client_id: Text | None = Field(default=None, description=_IDENTITY)
    sts_url: Text | None = Field(
        default=None,
        description="The address of AWS's token service, or a VPC endpoint of it; without it the region's.",
        examples=["https://sts.eu-central-1.amazonaws.com"],
    )

    @field_validator("header")
    @classmethod
    def _signature(cls, header: str) -> str:
        if header != AUTHORIZATION:
            raise ValueError("`header` has no effect here: AWS's signature is in Authorization; leave it out")
        return header

    @field_validator("environment", "region", "role_arn")
    @classmethod
    def _form(cls, text: str, info: ValidationInfo) -> str:
        pattern, example = _AWS_FORMS[info.field_name or ""]
        if not setting_names(text) and not re.fullmatch(pattern, text):
            raise ValueError(
                f"{shown(text)} is not allowed as `{info.field_name}`; write one such as `{example}`"
            )
        return text

    @field_validator("sts_url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        if url is not None:
            check_address(url, name="sts_url", example="https://sts.eu-central-1.amazonaws.com")
        return url

    def airflow_at(self, url: str) -> str:
        """Return the url with the environment: many environments share one address of MWAA's API."""
        return f"{url.rstrip('/')}/{self.environment}"

    @property
    def has_web_pages(self) -> bool:
        """False: MWAA's API is known, and not the environment's web server."""
        return False

    @property
    def credential_text(self) -> str:
        """The role, and what assumes it."""
        return f"credentials of {self.role_arn}, for the managed identity's token"


_AWS_FORMS: Final = {
    "environment": (r"[A-Za-z][A-Za-z0-9_-]{0,79}", "data-platform"),
    "region": (r"[a-z]{2,}(-[a-z]+)+-[0-9]+", "eu-central-1"),
    "role_arn": (r"arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+", "arn:aws:iam::123456789012:role/updraft"),
}

type Auth = Annotated[
    EntraAuth | EntraExchangeAuth | AirflowAuth | OidcAuth | BearerAuth | BasicAuth | GoogleAuth | AwsAuth,
    Field(discriminator="kind"),
]
type Auths = Annotated[
    Annotated[Auth, Tag("one")] | Annotated[list[Auth], Field(min_length=2, max_length=2), Tag("two")],
    Discriminator(lambda given: "two" if isinstance(given, list) else "one"),
]

KINDS: Final[dict[str, type[_Auth]]] = {
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
    """Tell whether a kind reads a secret from Key Vault."""
    return any(name.endswith("_secret") and getattr(auth, name) for name in type(auth).model_fields)


def check_auths(auths: tuple[Auth, ...], *, api: str, url: str) -> None:
    """Check what no kind can check by itself.

    Raises:
        ValueError: A combination that cannot work, and why.
    """
    if any(isinstance(auth, AwsAuth) for auth in auths):
        _check_aws(auths, url)
    headers = [auth.header.lower() for auth in auths]
    if len(set(headers)) < len(headers):
        raise ValueError(
            f"two kinds of `auth` share the header `{headers[0]}`; give the one that is for the proxy "
            "another `header`"
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
            "`kind: aws` stands alone: it signs requests to AWS, which no proxy sees; leave the other out"
        )
    if setting_names(url):
        return
    parts = urlsplit(url)
    if parts.path.strip("/") or _MWAA_WEB_SERVER.search(parts.hostname or ""):
        raise ValueError(
            "with `kind: aws`, `url` is MWAA's API and not the environment's web server; write one such as "
            "https://env.airflow.eu-central-1.amazonaws.com, or a VPC endpoint of it"
        )
