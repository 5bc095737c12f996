"""The language of rules.yaml: its model, loading, and the compiled rules.

model/                   the model of the file
yaml_document            YAML as JSON, with the line and column of each part
yaml_nodes               the nodes of a YAML file, and their errors
yaml_scalars             the scalars of YAML 1.2
yaml_position            the lines around a syntax error
yaml_slips               messages for syntax errors of YAML
indentation              the line whose wrong indentation causes the errors of a file
readable_text            invisible characters in texts
load                     reads, checks and compiles rules.yaml
rule_compiler            the model to compiled rules
problems                 collects errors as messages with file, line and fix
value_messages           messages for wrong values
unknown_keys             messages for unknown keys
fixes                    what to write instead of a wrong value or key
compiled                 rules ready to match
filters/                 conditions on events
templates/               texts with values of events
wildcards                names with `*`
known_types              the event types that Azure services emit
event_types              checks of the event types in a rule
json_schema              the JSON Schema for editors
event_grid_subscription  the Event Grid filter that the rules need
"""

from shared.rules.compiled import Rule, Rules
from shared.rules.load import load_rules
from shared.rules.model.auth_clouds import AwsAuth, GoogleAuth
from shared.rules.model.auth_kinds import (
    AirflowAuth,
    BasicAuth,
    BearerAuth,
    EntraAuth,
    EntraExchangeAuth,
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
