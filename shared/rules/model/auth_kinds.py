"""The kinds of `auth` that need no other cloud: Entra, Airflow's own logins, tokens and OAuth 2."""

from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from shared.rules.model.base import StrictModel, Text
from shared.values.urls import check_address

AUTHORIZATION: Final = "Authorization"
"""The one header that Airflow itself reads."""

KIND: Final = "How this app signs in to Airflow."
_OURS: Final = frozenset(
    {"accept", "connection", "content-length", "content-type", "host", "transfer-encoding", "user-agent"}
)
IDENTITY: Final = (
    "The client id of a user-assigned managed identity; by default the app's own identity is used."
)

type Header = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")]


class AuthBase(StrictModel):
    """The base class of all kinds: the header of the credential."""

    header: Header = Field(
        default=AUTHORIZATION,
        description="The header of the credential; a proxy in front of Airflow needs its own.",
        examples=["X-Proxy-Authorization"],
    )

    @field_validator("header")
    @classmethod
    def _free(cls, header: str) -> str:
        if header.lower() in _OURS:
            raise ValueError(f"the header `{header}` is part of every request; write another header")
        return header

    def airflow_at(self, url: str) -> str:
        """Return an identifier of the Airflow: the connection's url, unless several Airflows share it."""
        return url

    @property
    def has_web_pages(self) -> bool:
        """Whether the connection's url also has Airflow's web pages."""
        return True

    @property
    def credential_text(self) -> str:
        """The credential in words, for `updraft doctor`."""
        return f"a credential in the header {self.header}"


class EntraAuth(AuthBase):
    """A bearer token of Microsoft Entra ID for this app's managed identity."""

    kind: Literal["entra"] = Field(description=KIND)
    scope: Text = Field(
        description="The scope of the token: the Application ID URI of the Airflow's app registration.",
        examples=["api://airflow/.default"],
    )
    client_id: Text | None = Field(
        default=None,
        description=IDENTITY,
        examples=["%UPDRAFTIDENTITY_CLIENT_ID%"],
    )

    @property
    def credential_text(self) -> str:
        """The resource of the token, and the header if it is not the one that Airflow reads."""
        header = "" if self.header == AUTHORIZATION else f", in the header {self.header}"
        return f"a token for {self.scope}{header}"


class EntraExchangeAuth(AuthBase):
    """Airflow's own token, in exchange for an Entra token at `/auth/token` (grant type jwt-bearer)."""

    kind: Literal["entra_exchange"] = Field(description=KIND)
    scope: Text = Field(
        description="The scope of the Entra token that is exchanged: the Application ID URI of the Airflow's "
        "app registration.",
        examples=["api://airflow/.default"],
    )
    client_id: Text | None = Field(default=None, description=IDENTITY)


class _PasswordAuth(AuthBase):
    """A kind with a user name and a password."""

    username: Text | None = Field(default=None, description="The user's name.", examples=["updraft"])
    username_secret: Text | None = Field(
        default=None, description="The name of the Key Vault secret with the user's name."
    )
    password_secret: Text = Field(
        description="The name of the Key Vault secret with the password.", examples=["airflow-password"]
    )

    @model_validator(mode="after")
    def _one_name(self) -> "_PasswordAuth":
        if (self.username is None) == (self.username_secret is None):
            raise ValueError("a user needs exactly one name; write either `username` or `username_secret`")
        return self


class AirflowAuth(_PasswordAuth):
    """Airflow's own token (`/auth/token`), for a user whose password is in Key Vault."""

    kind: Literal["airflow"] = Field(description=KIND)


class BasicAuth(_PasswordAuth):
    """User name and password with each request (RFC 7617), for Airflow 2."""

    kind: Literal["basic"] = Field(description=KIND)


class BearerAuth(AuthBase):
    """A long-lived token from Key Vault, such as Astronomer's."""

    kind: Literal["bearer"] = Field(description=KIND)
    token_secret: Text = Field(
        description="The name of the Key Vault secret with the token.", examples=["astronomer-token"]
    )


class OidcAuth(AuthBase):
    """A token of an OAuth 2 server; the credential is the managed identity's token or a client secret."""

    kind: Literal["oidc"] = Field(description=KIND)
    token_url: Text = Field(
        description="The server's token endpoint.",
        examples=["https://keycloak.contoso.example/realms/data/protocol/openid-connect/token"],
    )
    client_id: Text = Field(
        description="The client's id at that server, not the managed identity's.",
        examples=["updraft"],
    )
    scope: Text | None = Field(default=None, description="The scope of the token, if the server needs one.")
    assertion_scope: Text | None = Field(
        default=None,
        description="The scope of the managed identity's token that is the client's credential "
        "(`client_assertion`, RFC 7523); by default api://AzureADTokenExchange/.default.",
    )
    identity_client_id: Text | None = Field(default=None, description=IDENTITY)
    exchange: bool = Field(
        default=False,
        description="Exchange the server's token for Airflow's own at `/auth/token`, as Keycloak's auth "
        "manager needs it.",
    )
    client_secret_secret: Text | None = Field(
        default=None,
        description="The name of the Key Vault secret with the client's secret, for a server that does not "
        "accept the managed identity's token.",
    )

    @field_validator("token_url")
    @classmethod
    def _address(cls, url: str) -> str:
        check_address(url, name="token_url", example="https://login.contoso.example/token")
        return url

    @model_validator(mode="after")
    def _one_credential(self) -> "OidcAuth":
        if self.client_secret_secret and (self.assertion_scope or self.identity_client_id):
            raise ValueError(
                "`client_secret_secret` and the managed identity's token (`assertion_scope`, "
                "`identity_client_id`) exclude each other: a client has one credential; leave one out"
            )
        return self
