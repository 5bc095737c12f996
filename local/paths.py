"""Folders of the checkout that the local stack uses."""

from pathlib import Path
from typing import Final

ROOT: Final = next(
    folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").is_file()
)
"""The checkout."""

AZURITE_FOLDER: Final = ROOT / "local" / "azurite"
"""The folder of Azurite's package.json and node_modules."""
