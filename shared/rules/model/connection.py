"""The part `connections` of rules.yaml: one Airflow and how it is reached."""

from typing import Final, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from shared.rules.model.auth import Auth, Auths, check_auths, needs_vault
from shared.rules.model.base import StrictModel, Text
from shared.values.urls import check_address, check_airflow_path

CONNECTION_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"


class Connection(StrictModel):
    """One Airflow, and how this app reaches it."""

    name: str = Field(pattern=CONNECTION_NAME, description="The connection's name.")
    allow_http: bool = Field(
        default=False,
        description="Allow an `http://` address that is not of this machine: tokens then travel unprotected.",
    )
    url: Text = Field(
        description="The address of the Airflow's web server; with `kind: aws`, of MWAA's API. `%NAME%` "
        "stands for an application setting.",
        examples=["https://airflow.contoso.example", "%UPDRAFT_AIRFLOW_URL%"],
    )
    api: Literal["auto", "v1", "v2"] = Field(
        default="auto",
        description="The version of Airflow's REST API: v2 for Airflow 3, v1 for Airflow 2; `auto` asks once "
        "and remembers.",
    )
    auth: Auths = Field(description="How this app proves to Airflow who it is.")
    vault: Text | None = Field(
        default=None,
        description="The Key Vault that holds this connection's secrets, by its name in `vaults`; without it "
        "the one that the setting UPDRAFT_KEY_VAULT_URI names.",
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
        description="Requests that may wait for this Airflow at one time.",
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
        """What tells the Airflow from all others: its url, and in MWAA, which many share, its environment."""
        return self.auths[0].airflow_at(self.url)

    @property
    def auths(self) -> tuple[Auth, ...]:
        """What stands under `auth`: one kind, or two."""
        return tuple(self.auth) if isinstance(self.auth, list) else (self.auth,)
