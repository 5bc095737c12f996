"""Application settings by name: forms of the name, pasted values, and settings that name settings."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.values.app_settings import resolved, setting, setting_names

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_:.-]{0,12}", fullmatch=True)
ENDS = st.text(" \t\r\n\u00a0\u200b\ufeff", max_size=4)


@given(name=NAMES, before=ENDS, after=ENDS)
def test_a_value_has_no_blanks_at_its_ends(name: str, before: str, after: str) -> None:
    """A pasted value is read without the blanks around it."""
    settings = {name: f"{before}https://a.example{after}"}
    assert setting(settings, name) == "https://a.example"
    assert resolved(f"%{name}%/x", settings) == ("https://a.example/x", [])


def test_a_name_is_spelt_as_in_functions() -> None:
    """A colon is two underscores on Linux; the name as written comes first; letter case counts."""
    assert setting({"AIRFLOW__URL": "a"}, "AIRFLOW:URL") == "a"
    assert setting({"AIRFLOW__URL": "a", "AIRFLOW:URL": "b"}, "AIRFLOW:URL") == "b"
    assert setting({"AIRFLOW:URL": "b"}, "AIRFLOW__URL") == ""
    assert resolved("%A:B:C%", {"A__B__C": "x"}) == ("x", [])
    text, problems = resolved("%airflow:url%", {"AIRFLOW__URL": "a"})
    assert text == "%airflow:url%"
    assert problems == [
        "the application setting `airflow:url` is missing; there is `AIRFLOW__URL`, and letter case counts"
    ]


def test_windows_does_not_tell_letter_case_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows the environment has each name in capitals."""
    monkeypatch.setattr(os, "name", "nt")
    assert setting({"AZUREWEBJOBSSTORAGE__ACCOUNTNAME": "a"}, "AzureWebJobsStorage__accountName") == "a"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("%A%", ["A"]),
        ("%A%%B%", ["A", "B"]),
        ("https://%HOST%/%PATH%", ["HOST", "PATH"]),
        ("%AIRFLOW:URL%", ["AIRFLOW:URL"]),
        ("%E4%", ["E4"]),
        ("https://proxy.example/%E4%BD%A0", []),
        ("https://proxy.example/caf%C3%A9", []),
        ("https://proxy.example/f%E4b%20x", []),
        ("https://proxy.example/%DEV_URL%/caf%C3%A9", ["DEV_URL"]),
        ("https://proxy.example/caf%C3%A9/%DEV%", ["DEV"]),
        ("%URL%/%E4%BD%A0", ["URL"]),
        ("https://%DB%adria.example/x", ["DB"]),
        ("100%", []),
        ("%20%", []),
        ("%A B%", []),
        ("%%", []),
    ],
)
def test_what_names_a_setting(text: str, names: list[str]) -> None:
    """`%NAME%` is a setting, except in encoded characters in the path of an address."""
    assert setting_names(text) == names


@given(path=st.text(min_size=1, max_size=12))
def test_an_encoded_path_names_no_setting(path: str) -> None:
    """A path that is percent-encoded, also in each character, does not change."""
    encoded = "".join(f"%{byte:02X}" for byte in path.encode(errors="replace"))
    url = f"https://proxy.example/{encoded}"
    assert resolved(url, {}) == (url, [])


@pytest.mark.parametrize(
    ("text", "settings", "problem"),
    [
        ("%A%", {}, "`A` is missing"),
        ("%A%", {"A": " \ufeff\n"}, "`A` is empty"),
        ("%A%", {"A": "%B%", "B": "x"}, "(`A` → `B`)"),
        ("%A%", {"A": "%B%", "B": "-%C%-", "C": "x"}, "(`A` → `B` → `C`)"),
        ("%A%", {"A": "%B%", "B": "%A%"}, "(`A` → `B` → `A`)"),
        ("%A%", {"A": "%GONE%"}, "(`A` → `GONE`)"),
        ("%A%%B%", {"A": "x%", "B": "C%"}, "together name another setting, `%C%`"),
        ("%A%", {"A": "@Microsoft.KeyVault(SecretUri=https://v/secrets/s)"}, "Azure did not resolve"),
        ("%A%", {"A": "air\u200bflow"}, "`A` holds U+200B ZERO WIDTH SPACE"),
    ],
)
def test_a_setting_without_a_usable_value_is_named(text: str, settings: dict[str, str], problem: str) -> None:
    """The error names the setting and the settings that its value names; the text stays."""
    found, problems = resolved(text, settings)
    assert len(problems) == 1
    assert problem in problems[0]
    assert found == text or "together" in problem


def test_every_problem_of_a_text_is_reported_once() -> None:
    """Two missing settings are two problems; one that the text names twice is one."""
    assert len(resolved("%A%%B%%A%", {})[1]) == 2
