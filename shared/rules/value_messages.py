"""Messages for values that the model refuses, made from pydantic's errors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from shared.rules import fixes
from shared.rules.model.auth import KINDS
from shared.rules.model.callers import NAME as CALLER_NAME
from shared.rules.model.callers import RATE
from shared.rules.model.rule import DURATION, RULE_NAME
from shared.rules.yaml_document import Path
from shared.runs.ids import MAX_RULE_NAME
from shared.values.wording import did_you_mean
from shared.visible_text import visible

_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
}
_DURATIONS: Final = frozenset({"max_age", "window", "lifetime"})
_OBJECTS: Final = frozenset({"dict_type", "model_type", "model_attributes_type"})
_PATTERNS: Final[Mapping[str, str]] = {
    "header": "a header's name, such as `X-Proxy-Authorization`",
    "scopes": "each scope as one word, without spaces",
}
_SHOWN: Final = 60


def value_message(detail: Mapping[str, Any], path: Path, written: str) -> tuple[str, str]:
    """Return what is wrong with a value, and what to write.

    Args:
        detail: One of pydantic's errors.
        path: The value's path.
        written: The value as it is written in the file, if it is a number.
    """
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return fixes.parted(str(context["error"]))
    if kind == "literal_error":
        words = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
        return _not_one_of("", words, given, key_of(path))
    if kind.startswith("union_tag"):
        what = "" if path[-1] == "kind" else "`kind` "
        return _not_one_of(what, sorted(KINDS), given.get("kind"), "kind")
    if kind == "string_pattern_mismatch":
        return _pattern(given, str(context["pattern"]), path)
    if kind in _BOUNDS:
        name, words_of_bound = _BOUNDS[kind]
        bound = f"{words_of_bound} {context[name]:g}"
        return f"must be {bound}, not {shown_value(given, written)}", f"write a number that is {bound}"
    return _type_message(kind, given, path, written) or _length_message(given, context)


def key_of(path: Path) -> str:
    """Return the key of a value, or of the list that contains it; empty at the top."""
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def shown_value(value: object, written: str = "") -> str:
    """Return a value as a message shows it.

    Args:
        value: The value.
        written: The value as it is written in the file, if it is a number.
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (int, float)):
        return f"the number {value}" + (f" (`{written}`)" if written not in {"", str(value)} else "")
    if isinstance(value, str):
        return f"`{visible(value, _SHOWN)}`"
    return "a list" if isinstance(value, list) else "an object"


def _type_message(kind: str, given: object, path: Path, written: str) -> tuple[str, str] | None:
    """Return the message for a value of the wrong type; None if the type is right."""
    key = key_of(path) if path and isinstance(path[-1], str) else ""
    if key in _DURATIONS and isinstance(given, int) and not isinstance(given, bool):
        wanted, fix = "a duration", fixes.duration_fix(str(given))
    elif kind == "string_type":
        wanted, fix = "text", fixes.text_fix(key, given, written)
    elif kind == "list_type":
        wanted, fix = "a list", fixes.list_fix(key, given)
    elif kind in _OBJECTS:
        wanted, fix = "an object", fixes.object_fix(key, given)
    elif kind in _SIMPLE:
        wanted, make = _SIMPLE[kind]
        fix = make(given)
    else:
        return None
    return f"must be {wanted}, not {shown_value(given, written)}", fix


_SIMPLE: Final[Mapping[str, tuple[str, Callable[[object], str]]]] = {
    "bool_type": ("true or false", fixes.bool_fix),
    "int_type": ("a whole number", lambda given: fixes.number_fix(given, whole=True)),
    "int_from_float": ("a whole number", lambda given: fixes.number_fix(given, whole=True)),
    "float_type": ("a number", lambda given: fixes.number_fix(given, whole=False)),
}


def _not_one_of(what: str, words: Sequence[str], given: object, key: str) -> tuple[str, str]:
    *most, last = [f"`{word}`" for word in words]
    hint = did_you_mean(given, words) if isinstance(given, str) else ""
    message, fix = fixes.parted(f"{what}must be {', '.join(most)} or {last}, not {shown_value(given)}{hint}")
    if isinstance(given, bool) and key == "track":
        fix = f"write `track: {'callback' if given else 'none'}`"
    return message, fix or f"write one of these, as in `{key}: {words[0]}`"


def _pattern(given: str, pattern: str, path: Path) -> tuple[str, str]:
    found = shown_value(given)
    if pattern == DURATION:
        return f"{found} is not a duration", fixes.duration_fix(given)
    if pattern == RATE:
        return f"{found} is not a rate", fixes.rate_fix(given)
    if pattern == RULE_NAME:
        return f"{found} is not allowed as a rule's name", fixes.name_fix(given, MAX_RULE_NAME)
    if pattern == CALLER_NAME:
        return f"{found} is not allowed as a caller's name", fixes.name_fix(given, 63)
    wanted = _PATTERNS.get(key_of(path), "a name of letters, digits, `_` and `-`")
    return f"{found} is not allowed here", f"write {wanted}"


def _length_message(given: Any, context: Mapping[str, Any]) -> tuple[str, str]:
    """Return the message for a value that is too short or too long."""
    if not given:
        return "must not be empty", "write a value, or leave the key out"
    what = "characters" if isinstance(given, str) else "members"
    most, least = context.get("max_length"), context.get("min_length")
    if most is not None:
        return f"has {len(given)} {what}, and at most {most} are allowed", f"write at most {most} {what}"
    if least is not None:
        return f"has fewer {what} than {least}", f"write {least} {what}"
    return f"{shown_value(given)} is not allowed here", "write another value (docs/rules.md)"
