from pathlib import Path

import pytest

from shared.errors import SettingsError
from shared.settings import Settings
from tests.support.paths import ROOT


def test_the_rules_lie_beside_the_app_by_default() -> None:
    """Without a setting the rules are the app's own rules.yaml, whatever the working directory is."""
    settings = Settings.of({})
    assert settings.rules_file == ROOT / "rules.yaml"
    assert "rules:" in settings.read_rules()


def test_another_rules_file_counts_from_the_apps_root(tmp_path: Path) -> None:
    """A relative path counts from the app's root, an absolute one stands as it is."""
    assert Settings.of({"UPDRAFT_RULES": "etc/rules.yaml"}).rules_file == ROOT / "etc" / "rules.yaml"
    assert Settings.of({"UPDRAFT_RULES": str(tmp_path / "r.yaml")}).rules_file == tmp_path / "r.yaml"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"], ids=["missing", "not UTF-8"])
def test_a_rules_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    """The error names the file and the setting that moves it."""
    path = tmp_path / "my-rules.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"my-rules\.yaml.*UPDRAFT_RULES"):
        Settings.of({"UPDRAFT_RULES": str(path)}).read_rules()


def test_the_vault_is_asked_for_by_name() -> None:
    """A missing vault address is an error that names the setting, once a secret is needed."""
    with pytest.raises(SettingsError, match="UPDRAFT_KEY_VAULT_URI is missing"):
        Settings.of({}).key_vault_uri()


def test_the_vault_is_reached_over_tls_only() -> None:
    """An address without TLS is refused before anything is sent there."""
    with pytest.raises(SettingsError, match="https://"):
        Settings.of({"UPDRAFT_KEY_VAULT_URI": "http://vault.example"}).key_vault_uri()
    secure = Settings.of({"UPDRAFT_KEY_VAULT_URI": " https://vault.example "})
    assert secure.key_vault_uri() == "https://vault.example"
