"""Folders of the checkout that the local stack works with."""

from pathlib import Path
from typing import Final

ROOT: Final = next(
    folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").is_file()
)
"""The checkout."""

AZURITE_FOLDER: Final = ROOT / "local" / "azurite"
"""Azurite's package.json, and the node_modules that npm puts beside it."""
