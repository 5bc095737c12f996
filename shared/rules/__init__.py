"""rules.yaml: its model, how it is loaded, and the rules that deciding works with."""

from shared.rules.auth import (
    AirflowAuth,
    AwsAuth,
    BasicAuth,
    BearerAuth,
    EntraAuth,
    EntraExchangeAuth,
    GoogleAuth,
    OidcAuth,
)
from shared.rules.load import load_rules
from shared.rules.model import Connection, RuleSpec
from shared.rules.rule import Rule, Rules

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
