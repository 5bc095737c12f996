"""Templates of rules.yaml: Jinja2, sandboxed and bounded; event content is data, never source.

compile      a text of rules.yaml to a template
scope        the names that templates see
filters      the filters that they may use
sandbox      Jinja2 with bounds
syntax_errors what is wrong with a template that Jinja2 cannot read
presence     whether a value is there, so that it may become a key
key_sandbox  the sandbox of keys: all that they read has to be there
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
