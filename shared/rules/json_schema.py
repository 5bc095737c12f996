"""The JSON Schema of rules.yaml for editors: the model's schema, and the filters."""

from typing import Any, Final

from shared.rules.filters import OPERATORS, Compares, Operator
from shared.rules.known_types import KNOWN_TYPES
from shared.rules.model.file import RulesFile
from shared.values.json_text import Json, JsonObject

_MANY: Final[dict[Compares, JsonObject]] = {
    Compares.NUMBERS: {"type": "number"},
    Compares.RANGES: {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    Compares.BOOLEANS: {"type": "boolean"},
    Compares.STRINGS: {"type": "string"},
}
"""The schema of one value of an operator."""

_MEANING: Final = {
    "value": "The value that the key's value is compared with.",
    "values": "A list of {}: one of them must match the key's value.",
    "negative": "A list of {}: none of them may match the key's value.",
}


def rules_schema() -> JsonObject:
    """Return the JSON Schema (draft 2020-12) of rules.yaml."""
    schema: dict[str, Any] = RulesFile.model_json_schema()
    definitions = schema["$defs"]
    connection = definitions["Connection"]
    del connection["properties"]["name"]  # a connection's name is its key
    connection["required"].remove("name")
    _complete_types(definitions["When"]["properties"]["types"])
    condition = definitions["When"]["properties"]["filter"]
    definitions["When"]["properties"]["filter"] = {
        "description": condition["description"],
        "examples": condition["examples"],
        "$ref": "#/$defs/Filter",
    }
    definitions["Filter"] = _filter()
    definitions["Operator"] = _operator()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "patternProperties": {
            "^x-": {"description": "Anything, such as anchors (`&name`) for aliases in other parts."}
        },
        "title": "rules.yaml of Updraft",
    }


def _complete_types(types: dict[str, Any]) -> None:
    """Let an editor complete the types that are known; others stay allowed."""
    listed = next(each for each in types["anyOf"] if each.get("type") == "array")
    listed["items"] = {"anyOf": [{"enum": [*KNOWN_TYPES]}, listed["items"]]}


def _filter() -> JsonObject:
    every: JsonObject = {"type": "array", "items": {"$ref": "#/$defs/Filter"}}
    some: JsonObject = {**every, "minItems": 1}

    def group(name: str, inner: JsonObject, description: str) -> JsonObject:
        return {
            "type": "object",
            "properties": {name: {**inner, "description": description}},
            "required": [name],
            "additionalProperties": False,
        }

    return {
        "description": "One of Event Grid's advanced filters; or a list of filters, which must all hold; or "
        "all, any, not.",
        "anyOf": [
            {"$ref": "#/$defs/Operator"},
            every,
            group("all", some, "All of these must hold."),
            group("any", some, "At least one of these must hold."),
            group("not", {"$ref": "#/$defs/Filter"}, "This must not hold."),
        ],
    }


def _operator() -> JsonObject:
    return {
        "description": "An advanced filter, as in an Event Grid subscription.",
        "anyOf": [_one_operator(operator) for operator in OPERATORS.values()],
    }


def _one_operator(operator: Operator) -> JsonObject:
    properties: JsonObject = {
        "operatorType": {"const": operator.name, "description": "How the key's value is compared."},
        "key": {
            "type": "string",
            "description": "The value of the event that is compared: `data.…`, `app.…`, or an attribute; "
            "`| from_base64` decodes Base64.",
            "examples": ["data.targetSlot", "app.site", "subject", "(data.body | from_base64).temperature"],
        },
    }
    required: list[Json] = ["operatorType", "key"]
    if operator.compares is not Compares.NOTHING:
        name = "values" if operator.many else "value"
        one = _MANY[operator.compares]
        about = _MEANING["negative" if operator.negative else name].format(operator.compares.value)
        form: JsonObject = {"type": "array", "items": one, "minItems": 1} if operator.many else {**one}
        properties[name] = {**form, "description": about}
        required.append(name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
