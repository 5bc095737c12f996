"""Templates of rules.yaml: Jinja2, sandboxed and bounded; event content is data, never source."""

from shared.rules.templates.compile import (
    MAX_CONF_BYTES,
    JsonTemplate,
    Template,
    check_size,
    compile_json,
    compile_template,
    size_of,
)
from shared.rules.templates.scope import BURST_NAMES, NAMES, event_scope
from shared.values.storable import clean_text, parse_time, time_text

__all__ = [
    "BURST_NAMES",
    "MAX_CONF_BYTES",
    "NAMES",
    "JsonTemplate",
    "Template",
    "check_size",
    "clean_text",
    "compile_json",
    "compile_template",
    "event_scope",
    "parse_time",
    "size_of",
    "time_text",
]
