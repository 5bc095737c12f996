"""The JSON Schema of rules.yaml, for editors: the model's own, with the filter language written out."""

from typing import Any, Final

from shared.json_types import JsonObject
from shared.rules.model import RulesFile

_ONE_NUMBER: Final = {"type": "number"}
_NUMBERS: Final = {"type": "array", "items": {"type": "number"}, "minItems": 1}
_RANGES: Final = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
}
_TEXTS: Final = {"type": "array", "items": {"type": "string"}, "minItems": 1}

OPERATORS: Final[dict[str, tuple[str, JsonObject] | None]] = {
    **{
        f"Number{name}": ("value", dict(_ONE_NUMBER))
        for name in ("GreaterThan", "GreaterThanOrEquals", "LessThan", "LessThanOrEquals")
    },
    "NumberIn": ("values", dict(_NUMBERS)),
    "NumberNotIn": ("values", dict(_NUMBERS)),
    "NumberInRange": ("values", dict(_RANGES)),
    "NumberNotInRange": ("values", dict(_RANGES)),
    "BoolEquals": ("value", {"type": "boolean"}),
    **{
        f"String{name}": ("values", dict(_TEXTS))
        for positive in ("Contains", "BeginsWith", "EndsWith", "In")
        for name in (positive, f"Not{positive}")
    },
    "IsNullOrUndefined": None,
    "IsNotNull": None,
}
"""Event Grid's operators, each with the member that it compares with and that member's schema."""


def rules_schema() -> JsonObject:
    """Return the JSON Schema (draft 2020-12) of rules.yaml."""
    schema: dict[str, Any] = RulesFile.model_json_schema()
    definitions = schema["$defs"]
    connection = definitions["Connection"]
    del connection["properties"]["name"]  # a connection's name is its key
    connection["required"].remove("name")
    condition = definitions["When"]["properties"]["filter"]
    definitions["When"]["properties"]["filter"] = {
        "description": condition["description"],
        "examples": condition["examples"],
        "$ref": "#/$defs/Filter",
    }
    definitions["Filter"] = _filter()
    definitions["Operator"] = _operator()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "rules.yaml of Updraft"}


def _filter() -> JsonObject:
    some: JsonObject = {"type": "array", "items": {"$ref": "#/$defs/Filter"}, "minItems": 1}

    def group(name: str, inner: JsonObject, description: str) -> JsonObject:
        return {
            "type": "object",
            "properties": {name: {**inner, "description": description}},
            "required": [name],
            "additionalProperties": False,
        }

    return {
        "description": "One of Event Grid's advanced filters; a list, of which all have to hold; or all, any, not.",
        "anyOf": [
            {"$ref": "#/$defs/Operator"},
            some,
            group("all", some, "Every one of these has to hold."),
            group("any", some, "At least one of these has to hold."),
            group("not", {"$ref": "#/$defs/Filter"}, "This must not hold."),
        ],
    }


def _operator() -> JsonObject:
    return {
        "description": "An advanced filter, as it stands in an Event Grid subscription.",
        "anyOf": [_one_operator(name, compared) for name, compared in OPERATORS.items()],
    }


def _one_operator(name: str, compared: tuple[str, JsonObject] | None) -> JsonObject:
    properties: JsonObject = {
        "operatorType": {"const": name, "description": "How the key's value is compared."},
        "key": {
            "type": "string",
            "description": "What is compared: `data.…`, `app.…`, or an attribute of the event.",
            "examples": ["data.targetSlot", "app.site", "subject"],
        },
    }
    required: list[Any] = ["operatorType", "key"]
    if compared is not None:
        member, member_schema = compared
        properties[member] = member_schema
        required.append(member)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
