"""Names made from content: the same content has the same name on every instance and at every try."""

import hashlib
import json


def parts_hash(*parts: str | int) -> str:
    """Return the SHA-256 of a list of values, in hexadecimal; different lists are different texts."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def text_hash(text: str) -> str:
    """Return 32 hexadecimal digits of a text's SHA-256; the text may hold half of a surrogate pair."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
