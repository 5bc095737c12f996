"""`connections` of rules.yaml: how the app reaches each Airflow."""

from typing import Final, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from shared.rules.model.auth import Auth, Auths, check_auths, needs_vault
from shared.rules.model.base import StrictModel, Text
from shared.values.urls import check_address, check_airflow_path

CONNECTION_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"


class Connection(StrictModel):
    """One Airflow and how this app reaches it."""

    name: str = Field(pattern=CONNECTION_NAME, description="The connection's name.")
    allow_http: bool = Field(
        default=False,
        description="Allow an `http://` address of another machine: tokens are then sent unencrypted.",
    )
    url: Text = Field(
        description="The address of Airflow's web server; with `kind: aws` the address of MWAA's API. "
        "`%NAME%` is replaced by an application setting.",
        examples=["https://airflow.contoso.example", "%UPDRAFT_AIRFLOW_URL%"],
    )
    api: Literal["auto", "v1", "v2"] = Field(
        default="auto",
        description="The version of Airflow's REST API: v2 for Airflow 3, v1 for Airflow 2; `auto` asks "
        "Airflow, and asks again after an upgrade.",
    )
    auth: Auths = Field(description="How this app signs in to Airflow.")
    vault: Text | None = Field(
        default=None,
        description="The Key Vault with this connection's secrets, by its name in `vaults`; by default the "
        "vault of the setting UPDRAFT_KEY_VAULT_URI.",
    )
    connect_timeout: float = Field(
        default=3.0, gt=0, le=25, description="Seconds to wait for a connection.", examples=[3]
    )
    read_timeout: float = Field(
        default=10.0, gt=0, le=25, description="Seconds to wait for an answer.", examples=[10]
    )
    in_flight: int = Field(
        default=8,
        ge=1,
        le=64,
        description="Requests to this Airflow that may be unanswered at one time.",
        examples=[8],
    )

    @field_validator("url")
    @classmethod
    def _address(cls, url: str, info: ValidationInfo) -> str:
        check_airflow_path(url, name="url")
        check_address(
            url,
            name="url",
            example="https://airflow.contoso.example",
            allow_http=bool(info.data.get("allow_http")),
        )
        return url

    @model_validator(mode="after")
    def _possible(self) -> "Connection":
        check_auths(self.auths, api=self.api, url=self.url)
        if self.vault is not None and not any(map(needs_vault, self.auths)):
            raise ValueError("`vault` has no effect: this `auth` needs no secret; leave it out")
        return self

    @property
    def address(self) -> str:
        """The identifier of the Airflow: its url, with the environment for MWAA."""
        return self.auths[0].airflow_at(self.url)

    @property
    def auths(self) -> tuple[Auth, ...]:
        """The one or two kinds of `auth`."""
        return tuple(self.auth) if isinstance(self.auth, list) else (self.auth,)
