"""GUIDs, by which Entra names tenants, applications and identities."""

import re
from typing import Final

_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def is_guid(text: str) -> bool:
    """Tell whether a text is a GUID in its usual form.

    ASCII alone: Python's own reader of GUIDs (`uuid.UUID`) also takes digits of other scripts, braces and
    forms without hyphens.
    """
    return _GUID.fullmatch(text) is not None
