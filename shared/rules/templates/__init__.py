"""Templates of rules.yaml: Jinja2 with limits. The content of events is data, never a template.

compile         a text of rules.yaml to a template
scope           the names that templates see
filters         the filters
sandbox         Jinja2 with limits
environment     members, arithmetic and the budget of a template
allowed_syntax  the syntax that templates may use
syntax_errors   messages for templates that Jinja2 cannot read
presence        whether a value is present, so that it may become a key
key_sandbox     the sandbox of keys: all that they read must be present
"""

from shared.rules.templates.compile import JsonTemplate, Template, compile_json, compile_template
from shared.rules.templates.scope import BURST_NAMES, NAMES, event_scope

__all__ = [
    "BURST_NAMES",
    "NAMES",
    "JsonTemplate",
    "Template",
    "compile_json",
    "compile_template",
    "event_scope",
]
