"""What to write instead of a wrong value or key of rules.yaml.

It is imported only if there is an error.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from shared.values.json_text import Json
from shared.values.wording import clipped, did_you_mean
from shared.visible_text import visible

_SHOWN: Final = 60
_PLAIN: Final = re.compile(r"[A-Za-z_/.][\w./-]*")
_GLUED: Final = re.compile(r"(?P<key>\w+):(?P<value>\S.*)")
_DURATION: Final = re.compile(
    r"(?P<number>[0-9]{1,6}(?:\.[0-9]+)?)\s*(?P<unit>s|m|h|d|w|sec|min|hr|second|minute|hour|day|week)s?",
    re.IGNORECASE,
)
_RATE: Final = re.compile(
    r"(?P<number>[1-9][0-9]{0,5})\s*(?:/|per|a|an)?\s*(?P<unit>s|m|h|sec|min|second|minute|hour)s?",
    re.IGNORECASE,
)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_TRUE: Final = frozenset({"yes", "on", "y", "1", "true", "enabled"})
_FALSE: Final = frozenset({"no", "off", "n", "0", "false", "disabled"})

_OTHER_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "RulesFile": {"airflow": "connections", "airflows": "connections", "subscriptions": "rules"},
    "Connection": {
        **dict.fromkeys(("host", "uri", "endpoint", "baseurl", "address", "server"), "url"),
        **dict.fromkeys(("authentication", "credentials", "login"), "auth"),
        **dict.fromkeys(("timeout", "readtimeout"), "read_timeout"),
        **dict.fromkeys(("concurrency", "maxinflight", "parallelism"), "in_flight"),
        **dict.fromkeys(("version", "apiversion"), "api"),
    },
    "RuleSpec": {
        **dict.fromkeys(("id", "title", "rulename"), "name"),
        **dict.fromkeys(("on", "if", "trigger", "match", "event"), "when"),
        **dict.fromkeys(("run", "then", "action", "do"), "start"),
        **dict.fromkeys(("disabled", "active"), "enabled"),
        **dict.fromkeys(("dedupe", "deduplicate", "idempotencykey"), "dedupe_by"),
        **dict.fromkeys(("debounce", "batch", "window"), "coalesce"),
        **dict.fromkeys(("ttl", "timeout", "expires"), "max_age"),
    },
    "When": {
        **dict.fromkeys(
            ("type", "eventtype", "eventtypes", "includedeventtypes", "event", "events"), "types"
        ),
        **dict.fromkeys(("source", "topic", "topics"), "sources"),
        **dict.fromkeys(("subjectbeginswith", "subjectendswith", "path"), "subject"),
        **dict.fromkeys(("advancedfilters", "conditions", "where"), "filter"),
    },
    "SubjectMatch": {
        **dict.fromkeys(("prefix", "startswith", "begins", "subjectbeginswith"), "begins_with"),
        **dict.fromkeys(("suffix", "ends", "subjectendswith"), "ends_with"),
        "issubjectcasesensitive": "case_sensitive",
    },
    "Start": {
        **dict.fromkeys(("dagid", "dagname"), "dag"),
        **dict.fromkeys(("config", "params", "parameters", "inputs", "args"), "conf"),
        "airflow": "connection",
        "executiondate": "logical_date",
    },
    "CallerSpec": {"clientid": "app_id", "appid": "app_id", "permissions": "dags"},
}
"""Other tools' names for keys of this file, in lower case and without `_` and `-`, by class."""


def parted(text: str) -> tuple[str, str]:
    """Split a message of the form `what is wrong; what to write` into its two parts.

    The text of `did_you_mean` belongs to the second part.
    """
    hint = re.search(r" \((did you mean `.*?`\?)\)", text)
    if hint is not None:
        text = text[: hint.start()] + text[hint.end() :]
    message, fix = text, ""
    ends = [found.start() for found in re.finditer("; ", text)]
    outside = [at for at in ends if text.count("`", 0, at) % 2 == 0]  # a value in backquotes may contain `; `
    for at in (outside or ends)[:1]:
        message, fix = text[:at], text[at + 2 :]
    if hint is None:
        return message, fix
    return message, f"{hint[1]} ({fix})" if fix else hint[1]


def nearest_key(model: type[Any], key: str, known: Sequence[str]) -> str:
    """Return the key that an unknown key probably means, or an empty text."""
    bare = re.sub(r"[^a-z]", "", key.lower())
    other = _OTHER_NAMES.get(model.__name__, {}).get(bare)
    if other is not None and other in known:
        return other
    hint = re.search(r"`([^`]*)`", did_you_mean(key, known))
    return hint[1] if hint else next((each for each in known if each.replace("_", "") == bare), "")


def _subject(given: str) -> str:
    """Return the object for a `subject` that is a text."""
    if given.startswith("*"):
        return f"{{ends_with: {flow(given.lstrip('*'))}}}"
    return f"{{begins_with: {flow(given.rstrip('*') or '/')}}}"


_FROM_TEXT: Final[Mapping[str, Callable[[str], str]]] = {
    "subject": _subject,
    "when": lambda given: f"{{types: [{flow(given)}]}}",
    "start": lambda given: f"{{dag: {flow(given)}}}",
    "auth": lambda given: f"{{kind: {flow(given)}, …}}",
}
"""The object for a text, by key."""


def list_fix(key: str, given: object) -> str:
    """Return what to write for a list."""
    if isinstance(given, Mapping):
        return f"write `- ` before each member of `{key}`"
    return f"write `{key}: [{flow(given)}]`" if given is not None else f"write `{key}: […]`"


def object_fix(key: str, given: object) -> str:
    """Return what to write for an object."""
    if isinstance(given, str) and (glued := _GLUED.fullmatch(given)) and "://" not in given:
        return f"write `{glued['key']}: {visible(glued['value'], _SHOWN)}`, with a space after the colon"
    if isinstance(given, str) and key in _FROM_TEXT:
        return f"write `{key}: {_FROM_TEXT[key](given)}`"
    examples = {
        "coalesce": '{window: 5m, by: "{{ app.site }}"}',
        "connections": "{analytics: {url: …, auth: …}}",
        "callback": "{lifetime: 24h}",
        "start": "{dag: …}",
        "when": "{types: […]}",
        "conf": '{site: "{{ app.site }}"}',
    }
    return f"write `{key}: {examples.get(key, '{key: value}')}`" if key else "write `key: value`"


def text_fix(key: str, given: object, written: str) -> str:
    """Return what to write for a text."""
    if isinstance(given, bool):
        return f'write it in quotes: `"{str(given).lower()}"`'
    if isinstance(given, (int, float)):
        return f'write it in quotes: `"{written or given}"`'
    if given is None:
        return f"write a text after `{key}:`" if key else "write a text"
    if isinstance(given, list) and len(given) == 1 and isinstance(given[0], str):
        return f"write `{key}: {flow(given[0])}`, without brackets"
    return f"write one text: `{key}: …`" if key else "write one text"


def bool_fix(given: object) -> str:
    """Return what to write for a boolean."""
    word = str(given).strip().lower()
    return (
        f"write `{'true' if word in _TRUE else 'false'}`"
        if word in _TRUE | _FALSE
        else "write `true` or `false`"
    )


def number_fix(given: object, *, whole: bool) -> str:
    """Return what to write for a number."""
    text = str(given).replace("_", "").replace(",", "").strip()
    if isinstance(given, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return f"write `{text.partition('.')[0] if whole else text}`, without quotes"
    if isinstance(given, float) and whole:
        return f"write `{round(given)}`"
    return f"write a {'whole ' if whole else ''}number, such as `8`"


def duration_fix(given: str) -> str:
    """Return the duration that a text probably means."""
    text = given.strip().removeprefix("PT").removeprefix("P")
    found = _DURATION.fullmatch(text)
    total = round(float(found["number"]) * _SECONDS[found["unit"][0].lower()]) if found else 0
    rule = "a number and s, m or h"
    if text.isdecimal() and len(text) < 7 and int(text):
        return f"write `{int(text)}s`: {rule}"
    if total <= 0:
        return f"write {rule}, as in `90s`, `15m` or `48h`"
    unit = next(unit for unit in "hms" if total % _SECONDS[unit] == 0)
    return f"write `{total // _SECONDS[unit]}{unit}`: {rule}"


def rate_fix(given: str) -> str:
    """Return the rate that a text probably means."""
    found = _RATE.fullmatch(given.strip())
    example = f"{found['number']}/{found['unit'][0].lower()}" if found else "60/m"
    return f"write `{example}`: a number, `/`, and s, m or h"


def name_fix(given: str, most: int) -> str:
    """Return a text in the characters of a rule's name."""
    name = re.sub(r"[^a-z0-9]+", "-", given.lower())[:most].strip("-")
    allowed = f"lower-case letters, digits and `-`, at most {most}"
    return f"write `{name}`: {allowed}" if name else f"write {allowed}"


def flow(value: Any) -> str:
    """Return a value as YAML on one line, shortened."""
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) is not None and value.lower() not in {"true", "false", "null"}
        return visible(clipped(value if plain else f'"{value}"', _SHOWN))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value[:3]))}{', …' if len(value) > 3 else ''}]"
    return "…" if value is None or isinstance(value, Mapping) else str(value)


def example_of(name: str, examples: Sequence[Json] | None) -> str:
    """Return an example of a missing key."""
    special = {
        "when": "{types: [Microsoft.Web.SlotSwapCompleted]}",
        "start": "{dag: smoke_tests}",
        "rules": "[]",
        "connections": "{analytics: {url: …, auth: …}}",
        "auth": '{kind: entra, scope: "api://airflow/.default"}',
    }
    return f"add it, as in `{name}: {special.get(name) or (flow(examples[0]) if examples else '…')}`"
