"""rules.yaml as a whole."""

from pydantic import Field, field_validator

from shared.rules.model.base import StrictModel, Text
from shared.rules.model.callers import CallerSpec
from shared.rules.model.connection import Connection
from shared.rules.model.rule import RuleSpec
from shared.values.urls import check_vault_address


class RulesFile(StrictModel):
    """The rules of Updraft: which events start which DAG runs."""

    connections: dict[str, Connection] = Field(
        min_length=1, description="The Airflows in which runs are started, by name."
    )
    rules: list[RuleSpec] = Field(
        description="Which events start which DAGs; rules are independent of each other."
    )
    callers: list[CallerSpec] = Field(
        default_factory=list, description="Who may call this app over HTTP, and what each may do."
    )
    vaults: dict[str, Text] = Field(
        default_factory=dict,
        description="Addresses of further Key Vaults, by name. `%NAME%` is replaced by an application "
        "setting.",
        examples=[{"partner": "https://partner.vault.azure.net"}],
    )

    @field_validator("vaults")
    @classmethod
    def _vault_addresses(cls, vaults: dict[str, str]) -> dict[str, str]:
        for name, url in vaults.items():
            check_vault_address(url, name=name)
        return vaults
