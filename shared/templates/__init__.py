"""Templates of rules.yaml: Jinja2, sandboxed and bounded; event content is data, never source."""

from shared.templates.compile import (
    MAX_CONF_BYTES,
    JsonTemplate,
    Template,
    check_size,
    compile_json,
    compile_template,
)
from shared.templates.scope import event_scope
from shared.templates.values import clean_text, parse_time, time_text

__all__ = [
    "MAX_CONF_BYTES",
    "JsonTemplate",
    "Template",
    "check_size",
    "clean_text",
    "compile_json",
    "compile_template",
    "event_scope",
    "parse_time",
    "time_text",
]
