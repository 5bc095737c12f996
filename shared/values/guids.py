"""GUIDs: the ids of Entra's tenants, applications and identities."""

import re
from typing import Final

_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def is_guid(text: str) -> bool:
    """Return whether a text is a GUID in its usual form.

    Only ASCII: Python's `uuid.UUID` also accepts digits of other scripts, braces and forms without hyphens.
    """
    return _GUID.fullmatch(text) is not None
