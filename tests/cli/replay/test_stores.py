"""The account and the container that `updraft replay` reads."""

import pytest

from cli.main import main


@pytest.mark.parametrize(
    "line", ["list", "list --poison", "show e-1", "send --all --container https://x.example/c"]
)
def test_a_missing_account_is_named_with_the_option(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the settings, the message has `--account`, and does not show a connection string."""
    for name in ("accountName", "blobServiceUri", "queueServiceUri"):
        monkeypatch.delenv(f"AzureWebJobsStorage__{name}", raising=False)
    monkeypatch.delenv("AzureWebJobsStorage", raising=False)
    assert main(["replay", *line.split()]) == 1
    says = capsys.readouterr().err
    assert says.startswith("no Storage account is named: pass --account NAME, or set AzureWebJobsStorage__")
    monkeypatch.setenv("AzureWebJobsStorage", "a-connection-string")
    assert main(["replay", *line.split()]) == 1
    says = capsys.readouterr().err
    assert "is not used, because it holds a key" in says
    assert "a-connection-string" not in says
