"""The table of attack tokens, from the repository's tests: both verifiers of Entra tokens are tried with it.

It is loaded by its path, because this package imports nothing of the repository.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

_PATH = Path(__file__).parents[2] / "tests" / "security" / "attack_tokens.py"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("attack_tokens", _PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


_TABLE = _load()
APPS, USERS, SCOPE, PORTAL = _TABLE.APPS, _TABLE.USERS, _TABLE.SCOPE, _TABLE.PORTAL
World, attacks = _TABLE.World, _TABLE.attacks
bad_published_keys, good_published_key = _TABLE.bad_published_keys, _TABLE.good_published_key
