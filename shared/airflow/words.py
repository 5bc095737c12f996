"""The error message in a response of Airflow, a gateway, a token endpoint, or a web page.

Airflow 3 and Starlette have `detail`, Airflow 2 `detail` and `title` (RFC 9457), Azure and API Management
`error.message` or `message`, OAuth servers `error` with `error_description` (RFC 6749 section 5.2),
flask-jwt-extended `msg`, others `errors`. Only people read messages: no outcome depends on them.
"""

import re
from typing import Final

from shared.values.json_text import Json, JsonObject

_MEMBERS: Final = ("detail", "message", "error", "error_description", "errors", "msg", "title")
"""Members that may hold the message; the first with text counts."""
_DEEPEST: Final = 6
"""The most levels of an error that are read."""
_PARTS: Final = 20
"""The most members of a list of errors that are read."""
_PAGE: Final = re.compile(r"<(?:\?xml|!|html|head|body|title|h1)", re.IGNORECASE)
_HEADLINE: Final = re.compile(r"<(title|h1)\b[^<>]*>(.*?)(?:</\1>|$)", re.IGNORECASE | re.DOTALL)
_UNSEEN: Final = re.compile(r"<(script|style)\b.*?(?:</\1>|$)|<!--.*?(?:-->|$)", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"<[^>]*(?:>|$)")
_PAGE_SHOWN: Final = 80
"""Characters of a web page that are shown: its headline, and never the whole page."""


def words_of_json(body: JsonObject) -> str:
    """Return an error's message on one line, without the input that a validation error echoes."""
    for name in _MEMBERS:
        found = _words(body.get(name), _DEEPEST)
        if not found:
            continue
        described = _words(body.get("error_description"), _DEEPEST) if name == "error" else ""
        return f"{found}: {described}" if described else found
    return ""


def words_of_text(text: str) -> str:
    """Return a text on one line; for a web page, its short headline."""
    if not _PAGE.search(text[:400]):
        return " ".join(text.split())
    headlines = (_flat(found[1]) for found in _HEADLINE.findall(text))
    headline = next((each for each in headlines if each), "") or _flat(_UNSEEN.sub(" ", text))
    return f"a web page: {headline[:_PAGE_SHOWN]}" if headline else "a web page"


def _words(value: Json, levels: int) -> str:
    if isinstance(value, str):
        return words_of_text(value)
    if value is None or isinstance(value, bool) or levels == 0:
        return ""
    if isinstance(value, list):
        return "; ".join(filter(None, (_words(member, levels - 1) for member in value[:_PARTS])))
    if not isinstance(value, dict):
        return str(value)[:_PAGE_SHOWN]
    if isinstance(place := value.get("loc"), list):
        where = ".".join(" ".join(str(part)[:_PAGE_SHOWN].split()) for part in place[:_PARTS])
        return f"{where}: {_words(value.get('msg'), 1)}"
    if isinstance(value.get("reason"), str):
        said: tuple[Json, ...] = (value["reason"], value.get("message"))
    else:
        said = (value.get("code"), *(value.get(name) for name in _MEMBERS))
    parts = dict.fromkeys(filter(None, (_words(part, levels - 1) for part in said)))
    return ": ".join(parts)


def _flat(html: str) -> str:
    return " ".join(_TAG.sub(" ", html).split())
