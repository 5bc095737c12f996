"""Folders of the checkout. Every test takes them from here, so that a test file can move to any depth."""

from pathlib import Path
from typing import Final

ROOT: Final = next(
    folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").is_file()
)
"""The checkout."""

DOCS: Final = ROOT / "docs"
EXAMPLE_RULES: Final = ROOT / "examples" / "rules.yaml"
"""The rules of the demo and of the tests; `rules.yaml` is the operator's, and no test reads it."""

TESTS: Final = ROOT / "tests"
APPS: Final = TESTS / "apps"
"""Tiny Functions apps, one behaviour each."""

SAMPLES: Final = TESTS / "samples"
"""Bodies as services send them, and filters; the values are the project's own."""
