"""rules.yaml: its model, how it is loaded, and the rules that deciding works with."""

from shared.rules.compiled import Rule, Rules
from shared.rules.load import load_rules
from shared.rules.model.auth import (
    AirflowAuth,
    AwsAuth,
    BasicAuth,
    BearerAuth,
    EntraAuth,
    EntraExchangeAuth,
    GoogleAuth,
    OidcAuth,
)
from shared.rules.model.connection import Connection
from shared.rules.model.rule import RuleSpec

__all__ = [
    "AirflowAuth",
    "AwsAuth",
    "BasicAuth",
    "BearerAuth",
    "Connection",
    "EntraAuth",
    "EntraExchangeAuth",
    "GoogleAuth",
    "OidcAuth",
    "Rule",
    "RuleSpec",
    "Rules",
    "load_rules",
]
