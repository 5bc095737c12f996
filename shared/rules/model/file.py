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
        min_length=1, description="The Airflows that runs are started in, by name."
    )
    rules: list[RuleSpec] = Field(description="Which events start which DAGs; every rule decides on its own.")
    callers: list[CallerSpec] = Field(
        default_factory=list, description="Who may call this app over HTTP, and what each may ask for."
    )
    vaults: dict[str, Text] = Field(
        default_factory=dict,
        description="Key Vaults beside the app's own, by name: their addresses. `%NAME%` stands for an "
        "application setting.",
        examples=[{"partner": "https://partner.vault.azure.net"}],
    )

    @field_validator("vaults")
    @classmethod
    def _vault_addresses(cls, vaults: dict[str, str]) -> dict[str, str]:
        for name, url in vaults.items():
            check_vault_address(url, name=name)
        return vaults
