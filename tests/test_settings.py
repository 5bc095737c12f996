from pathlib import Path

import pytest

from shared.errors import SettingsError
from shared.settings import Settings
from tests.support.paths import ROOT


def test_the_rules_lie_beside_the_app_by_default() -> None:
    """Without the setting the rules are the app's rules.yaml, in each working directory."""
    assert Settings.of({}).rules_file == ROOT / "rules.yaml"


def test_another_rules_file_counts_from_the_apps_root(tmp_path: Path) -> None:
    """A relative path starts at the app's root; an absolute one does not change."""
    assert Settings.of({"UPDRAFT_RULES": "etc/rules.yaml"}).rules_file == ROOT / "etc" / "rules.yaml"
    assert Settings.of({"UPDRAFT_RULES": str(tmp_path / "r.yaml")}).rules_file == tmp_path / "r.yaml"


def test_a_rules_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """The error names the file and the setting for its path."""
    with pytest.raises(SettingsError, match=r"my-rules\.yaml.*UPDRAFT_RULES"):
        Settings.of({"UPDRAFT_RULES": str(tmp_path / "my-rules.yaml")}).read_rules()


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_rules_file_in_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    """The error has the fix: save the file as UTF-8."""
    path = tmp_path / "my-rules.yaml"
    path.write_text("# Müller", encoding=encoding)
    with pytest.raises(SettingsError, match=r"my-rules\.yaml: .* not UTF-8.*; save it as UTF-8"):
        Settings.of({"UPDRAFT_RULES": str(path)}).read_rules()


def test_a_rules_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """A byte order mark, as editors on Windows write it, is not part of the text."""
    path = tmp_path / "my-rules.yaml"
    path.write_text("rules: []", encoding="utf-8-sig")
    assert Settings.of({"UPDRAFT_RULES": f"{path}\r\n"}).read_rules() == "rules: []"


def test_the_vault_is_asked_for_by_name() -> None:
    """A missing vault address is an error that names the setting, as soon as a secret is needed."""
    with pytest.raises(SettingsError, match="UPDRAFT_KEY_VAULT_URI is missing"):
        Settings.of({}).key_vault_uri()


def test_the_vault_is_reached_over_tls_only() -> None:
    """An address without TLS is refused before a request."""
    with pytest.raises(SettingsError, match="https://"):
        Settings.of({"UPDRAFT_KEY_VAULT_URI": "http://vault.example"}).key_vault_uri()
    secure = Settings.of({"UPDRAFT_KEY_VAULT_URI": " https://vault.example "})
    assert secure.key_vault_uri() == "https://vault.example"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("https://vault.example/secrets/x", "write https://vault.example"),
        ("https://va ult.example", "a blank"),
        ("https://va\u200bult.example", "U\\+200B ZERO WIDTH SPACE"),
        ("%VAULT%", "names another setting, `%VAULT%`"),
    ],
)
def test_the_vaults_address_is_checked(value: str, says: str) -> None:
    """A value that is not the address of a vault is refused with the setting's name."""
    with pytest.raises(SettingsError, match=f"UPDRAFT_KEY_VAULT_URI.*{says}"):
        Settings.of({"UPDRAFT_KEY_VAULT_URI": value}).key_vault_uri()
