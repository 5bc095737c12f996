"""Application settings by name: how `%NAME%` is written, which setting it names, and the setting's value.

The syntax is the one of Azure Functions' binding expressions. Its host looks the name up in the environment
as it is written, then with `__` for each `:`, which Linux does not allow in names. So letter case counts on
Linux, and does not on Windows (azure-functions-host, `ScriptEnvironmentVariablesConfigurationSource`; issue
8856).
"""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Final

from shared.values.invisible import invisible_in, named, trimmed
from shared.values.wording import did_you_mean

_SETTING: Final = re.compile(r"%([A-Za-z_][A-Za-z0-9_:.-]*)%")
_ADDRESS_WITH_PATH: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*/|%[A-Za-z_][A-Za-z0-9_:.-]*%/")
_OCTET: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_REFERENCE: Final = re.compile(r"@Microsoft\.(?:KeyVault|AppConfiguration)\(", re.IGNORECASE)
_LONGEST_CHAIN: Final = 8


def setting(settings: Mapping[str, str], name: str) -> str:
    """Return the trimmed value of an application setting; empty if it is missing.

    Args:
        settings: All application settings.
        name: The name, as a binding expression or this app writes it.
    """
    return trimmed(settings.get(spelling(settings, name) or "", ""))


def spelling(settings: Mapping[str, str], name: str) -> str | None:
    """Return the key of `settings` that `name` means; None if the setting is missing."""
    for candidate in (name, name.replace(":", "__")):
        if candidate in settings:
            return candidate
        if os.name == "nt" and candidate.upper() in settings:  # Windows keeps names in capitals
            return candidate.upper()
    return None


def setting_names(text: str) -> list[str]:
    """Return the settings that a text names as `%NAME%`, in their order."""
    return [text[start + 1 : end - 1] for start, end in _places(text)]


def resolved(text: str, settings: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return a text with the values of the settings that it names, and the problems of these settings.

    A setting that is missing, is empty or names another setting stays as it is written.

    Args:
        text: A text of rules.yaml.
        settings: All application settings.
    """
    pieces: list[str] = []
    problems: list[str] = []
    end = 0
    for start, after in _places(text):
        name = text[start + 1 : after - 1]
        problem = _problem(name, settings)
        if problem is not None and problem not in problems:
            problems.append(problem)
        value = text[start:after] if problem is not None else setting(settings, name)
        pieces += [text[end:start], value]
        end = after
    whole = "".join([*pieces, text[end:]])
    made = setting_names(whole)
    if end and not problems and made:
        problems.append(
            f"the settings of `{text}` together name another setting, `%{made[0]}%`: write its value in them"
        )
    return whole, problems


def _problem(name: str, settings: Mapping[str, str]) -> str | None:
    """Return the problem of a setting, or None if it has a usable value."""
    value = setting(settings, name)
    if not value:
        return _missing(name, settings)
    if _REFERENCE.match(value):
        return (
            f"the application setting `{name}` is a reference that Azure did not resolve: check the secret's "
            "name, and the app's role on the vault"
        )
    character = invisible_in(value)
    if character is not None:
        return (
            f"the application setting `{name}` holds {named(character)}, which is invisible; delete it there"
        )
    chain = [name, *_chain(name, value, settings)]
    if len(chain) == 1:
        return None
    shorter = "" if chain[-1] in chain[:-1] else f", or write `%{chain[-1]}%` here"
    return (
        f"the application setting `{name}` names another setting (`{'` → `'.join(chain)}`), and a setting "
        f"inside a setting is not resolved; write the value itself in `{name}`{shorter}"
    )


def _chain(name: str, value: str, settings: Mapping[str, str]) -> Iterator[str]:
    """Yield the setting that a setting's value names, then the one that this value names, and so on."""
    seen = {name}
    while (names := setting_names(value)) and len(seen) < _LONGEST_CHAIN:
        yield names[0]
        if names[0] in seen:
            return
        seen.add(names[0])
        value = setting(settings, names[0])


def _missing(name: str, settings: Mapping[str, str]) -> str:
    if spelling(settings, name) is not None:
        return f"the application setting `{name}` is empty; set it in the app"
    other = next((known for known in settings if known.upper() == name.replace(":", "__").upper()), None)
    if other is not None:
        return f"the application setting `{name}` is missing; there is `{other}`, and letter case counts"
    near = did_you_mean(name, [known for known in settings if known.upper().startswith("UPDRAFT")])
    return f"the application setting `{name}` is missing{near}; set it in the app"


def _places(text: str) -> Iterator[tuple[int, int]]:
    """Yield the positions of `%NAME%`: the index of the first `%`, and the one after the last.

    In the path of an address, `%E4%BD` is text in UTF-8. If both `%` begin an octet there, they do not name a
    setting.
    """
    prefix = _ADDRESS_WITH_PATH.match(text)
    path = prefix.end() if prefix else len(text)
    at = text.find("%")
    while at >= 0:
        match = _SETTING.match(text, at)
        if match is None:
            at = text.find("%", at + 1)
        elif at >= path and _OCTET.match(text, at) and _OCTET.match(text, match.end() - 1):
            at = text.find("%", at + 3)
        else:
            yield at, match.end()
            at = text.find("%", match.end())
