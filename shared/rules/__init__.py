"""The language of rules.yaml: its model, how it is loaded, and the compiled rules.

model/                   what may stand in the file
yaml_document            YAML as JSON, with the line and column of each part
yaml_nodes               the nodes of a YAML file, and their errors
yaml_scalars             the numbers and words of YAML 1.2
yaml_places              the lines around a place in the file
yaml_slips               the mistake that makes YAML unreadable, and what to write
readable_text            texts that hold characters which nobody sees
load                     reads, checks and compiles rules.yaml
rule_compiler            the model to compiled rules
problems                 validation errors as messages with file, line and fix
value_messages           what is wrong with a value
unknown_keys             what was meant by a key that nobody knows
fixes                    what to write instead of a value or a key
compiled                 rules ready to match
filters/                 conditions on events
templates/               texts made from events
wildcards                names with `*`
known_types              the event types that Azure services emit
event_types              types that no service emits, and `app` where no event has it
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
