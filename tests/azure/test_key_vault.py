"""Secrets through the real SDK client, on a vault with refusals, rotations and outages."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest

from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from shared.azure.credential import azure_credential
from shared.azure.key_vault import AN_HOUR, TEN_MINUTES, KeyVault
from shared.errors import SecretUnavailable, SettingsError

if TYPE_CHECKING:
    from tests.support.clocks import UnixClock
    from tests.support.endpoints import Watch


type Together = Callable[[int, Callable[[], object]], list[object]]

NAME = "airflow-password"


@pytest.fixture(autouse=True)
def _a_secret(vault: LocalKeyVault) -> None:
    vault.set(NAME, "value-one-of-it")


def _reads(vault: LocalKeyVault) -> int:
    """Count the vault's answered reads, without the challenge."""
    return sum(seen.status != 401 for seen in vault.seen)


def test_a_secret_is_read_once_and_held(
    key_vault: KeyVault, vault: LocalKeyVault, clock: "UnixClock"
) -> None:
    """A value is cached for its time; after it, the vault is read again."""
    assert key_vault.get(NAME) == "value-one-of-it"
    vault.set(NAME, "value-two-of-it")
    clock.pass_by(TEN_MINUTES - 1)
    assert key_vault.get(NAME) == "value-one-of-it"
    assert _reads(vault) == 1
    clock.pass_by(1)
    assert key_vault.get(NAME) == "value-two-of-it"


def test_instances_do_not_all_ask_at_once(vault: LocalKeyVault, clock: "UnixClock") -> None:
    """The time for which a value is cached varies by up to a tenth."""
    early = KeyVault(vault.url, azure_credential, clock=clock, jitter=lambda: 0.0)
    late = KeyVault(vault.url, azure_credential, clock=clock, jitter=lambda: 1.0)
    for key_vault in (early, late):
        key_vault.get(NAME)
    vault.set(NAME, "value-two-of-it")
    clock.pass_by(TEN_MINUTES)
    assert (early.get(NAME), late.get(NAME)) == ("value-two-of-it", "value-one-of-it")


def test_a_version_can_be_pinned(key_vault: KeyVault, vault: LocalKeyVault) -> None:
    """`name/version` reads that version, not the current one."""
    version = vault.set(NAME, "value-two-of-it")
    vault.set(NAME, "value-three-of-it")
    assert key_vault.get(f"{NAME}/{version}") == "value-two-of-it"
    assert key_vault.get(NAME) == "value-three-of-it"


def test_refresh_reads_again_at_once(key_vault: KeyVault, vault: LocalKeyVault) -> None:
    """A refused value is read again before its time is over."""
    key_vault.get(NAME)
    vault.set(NAME, "value-two-of-it")
    assert key_vault.refresh(NAME) == "value-two-of-it"
    assert key_vault.get(NAME) == "value-two-of-it"


def test_many_cold_threads_make_one_read(
    key_vault: KeyVault, vault: LocalKeyVault, identity: IdentityEndpoint, together: Together
) -> None:
    """Thirty-two threads that need one secret cost one read and one token."""
    assert together(32, lambda: key_vault.get(NAME)) == ["value-one-of-it"] * 32
    assert _reads(vault) == 1
    assert identity.count() == 1


def test_an_old_value_is_used_while_the_vault_is_away(
    key_vault: KeyVault,
    vault: LocalKeyVault,
    clock: "UnixClock",
    watch: "Watch",
    caplog: pytest.LogCaptureFixture,
) -> None:
    """During an outage the old value is used for a limited time; then a transient error is raised."""
    key_vault.get(NAME)
    vault.inject(503, {"error": {"code": "ServiceUnavailable", "message": "busy"}}, times=99)
    clock.pass_by(TEN_MINUTES)
    assert key_vault.get(NAME) == "value-one-of-it"
    assert f"secret '{NAME}' of {vault.url} could not be renewed" in caplog.text
    clock.pass_by(AN_HOUR)
    error = watch.refusal(lambda: key_vault.get(NAME))
    assert not error.permanent
    assert "answered 503" in str(error)
    vault.heal()
    clock.pass_by(10)
    assert key_vault.get(NAME) == "value-one-of-it"


def test_a_revoked_secret_is_not_used_on(
    key_vault: KeyVault, vault: LocalKeyVault, clock: "UnixClock", watch: "Watch"
) -> None:
    """A permanent refusal drops the old value: disabling a secret takes effect."""
    key_vault.get(NAME)
    vault.disable(NAME)
    clock.pass_by(TEN_MINUTES)
    error = watch.refusal(lambda: key_vault.get(NAME))
    assert error.permanent
    assert "disabled" in str(error)


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("ForbiddenByRbac", "the identity has no Key Vault Secrets User role"),
        ("AccessDenied", "access policy gives the identity no Get"),
        ("ForbiddenByFirewall", "firewall"),
        ("SomethingNew", "SomethingNew"),
    ],
)
def test_each_refusal_names_its_remedy(
    key_vault: KeyVault, vault: LocalKeyVault, watch: "Watch", reason: str, remedy: str
) -> None:
    """Each reason for a 403 is permanent and has the fix."""
    vault.deny(reason)
    error = watch.refusal(lambda: key_vault.get(NAME))
    assert isinstance(error, SecretUnavailable)
    assert error.permanent
    assert remedy in str(error)
    assert f"no secret '{NAME}' from {vault.url}" in str(error)


@pytest.mark.parametrize(
    ("status", "body", "reason", "permanent"),
    [
        (429, {"error": {"code": "Throttled", "message": "slow down"}}, "throttling", False),
        (500, {"error": {"code": "InternalError", "message": "boom"}}, "answered 500", False),
        (502, "<html>Bad Gateway</html>", "answered 502", False),
        (403, "", "no reason given", True),
        (400, {"error": {"code": "BadParameter", "message": "no"}}, "answered 400", True),
        (0, "", "did not answer", False),
        (200, "<html>Sign in</html>", "not one of Key Vault", True),
    ],
)
def test_what_the_vault_answers_is_classed(
    key_vault: KeyVault,
    vault: LocalKeyVault,
    watch: "Watch",
    status: int,
    body: object,
    reason: str,
    *,
    permanent: bool,
) -> None:
    """Throttling, outages and time-outs are transient; refusals and other responses are permanent."""
    key_vault.get(NAME)  # so that the fault applies to the read and not the challenge
    vault.inject(status, body, times=9)  # type: ignore[arg-type] # the parameters hold texts and objects
    error = watch.refusal(lambda: key_vault.refresh(NAME))
    assert error.permanent is permanent
    assert reason in str(error)


def test_broken_json_is_no_answer_of_a_vault(
    key_vault: KeyVault, vault: LocalKeyVault, watch: "Watch"
) -> None:
    """The error for invalid JSON names the address."""
    key_vault.get(NAME)
    vault.inject(200, "{", headers={"Content-Type": "application/json"}, times=9)
    error = watch.refusal(lambda: key_vault.refresh(NAME))
    assert error.permanent
    assert "not one of Key Vault" in str(error)


def test_throttling_is_waited_out_once(key_vault: KeyVault, vault: LocalKeyVault) -> None:
    """After a single short throttling the second try succeeds."""
    key_vault.get(NAME)
    vault.inject(429, {"error": {"code": "Throttled", "message": "slow down"}})
    assert key_vault.refresh(NAME) == "value-one-of-it"


def test_a_vault_that_is_away_is_transient(key_vault: KeyVault, vault: LocalKeyVault, watch: "Watch") -> None:
    """The error for a refused connection names the vault and is transient."""
    vault.stop()
    error = watch.refusal(lambda: key_vault.get(NAME))
    assert not error.permanent
    assert "could not be reached" in str(error)


def test_an_expired_secret_is_refused(
    key_vault: KeyVault, vault: LocalKeyVault, clock: "UnixClock", watch: "Watch"
) -> None:
    """The app does not use an expired secret, which the vault returns, or one that expires in the cache."""
    vault.expire(NAME, clock.now + 60)
    assert key_vault.get(NAME) == "value-one-of-it"
    clock.pass_by(61)
    error = watch.refusal(lambda: key_vault.get(NAME))
    assert error.permanent
    assert "expired on" in str(error)


def test_a_missing_or_empty_secret_is_permanent(
    key_vault: KeyVault, vault: LocalKeyVault, watch: "Watch"
) -> None:
    """An unknown name, and a secret without a value, are permanent errors."""
    vault.set("empty", "")
    for name, words in (("unknown", "no such secret"), (f"{NAME}/{'0' * 32}", "no such"), ("empty", "empty")):
        error = watch.refusal(partial(key_vault.get, name))
        assert error.permanent
        assert words in str(error)
        assert repr(name) in str(error)


@pytest.mark.parametrize("name", ["", "a b", "../keys/x", "a/b/c", "a/", "name?x=1", "a\n"])
def test_what_is_no_name_is_not_asked_for(
    key_vault: KeyVault, vault: LocalKeyVault, watch: "Watch", name: str
) -> None:
    """A name that could lead elsewhere in the vault is refused before any request."""
    assert watch.refusal(lambda: key_vault.get(name)).permanent
    assert vault.seen == ()


def test_the_identity_endpoints_failure_is_told_as_its_own(
    key_vault: KeyVault, identity: IdentityEndpoint, watch: "Watch"
) -> None:
    """Without a token for the vault, the error names the identity endpoint and is transient."""
    identity.inject(403, "", times=9)
    error = watch.refusal(lambda: key_vault.get(NAME))
    assert isinstance(error, SecretUnavailable)
    assert not error.permanent
    assert "the managed-identity endpoint" in str(error)


def test_an_app_without_an_identity_is_told_so(
    vault: LocalKeyVault, watch: "Watch", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing identity is permanent and names the settings."""
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    error = watch.refusal(lambda: KeyVault(vault.url, azure_credential).get(NAME))
    assert error.permanent
    assert "IDENTITY_ENDPOINT" in str(error)


def test_a_token_that_the_vault_does_not_take_is_permanent(
    key_vault: KeyVault, vault: LocalKeyVault, identity: IdentityEndpoint, watch: "Watch"
) -> None:
    """Two challenges in a row mean that the vault trusts another tenant."""
    vault.inject(
        401,
        headers={
            "WWW-Authenticate": f'Bearer authorization="https://login.microsoftonline.com/x", '
            f'resource="{vault.resource}"'
        },
        times=9,
    )
    error = watch.refusal(lambda: key_vault.get(NAME))
    assert error.permanent
    assert "tenant" in str(error)


@pytest.mark.parametrize(
    "url",
    [
        *("http://contoso.vault.azure.net", "contoso.vault.azure.net", "https://", ""),
        *("https://contoso.vault.azure.net/secrets/x", "https://con toso.vault.azure.net"),
    ],
)
def test_an_address_that_is_not_a_vaults_is_refused_at_once(url: str) -> None:
    """Only https addresses of a host are accepted, before the first call."""
    with pytest.raises(SettingsError, match="the Key Vault address"):
        KeyVault(url, azure_credential)


@pytest.mark.parametrize(
    ("before", "after"),
    [("", "\n"), ("", "\r\n"), ("\ufeff", ""), (" ", "\t"), ("\u200b", "\xa0"), ("\ufeff", "\r\n\r\n")],
    ids=ascii,
)
def test_a_secret_has_no_line_end_or_blank_at_its_ends(
    key_vault: KeyVault, vault: LocalKeyVault, before: str, after: str
) -> None:
    """A secret that was pasted or read from a file is returned without blanks and line ends."""
    vault.set(NAME, f"{before}value two of it{after}")
    assert key_vault.get(NAME) == "value two of it"
    vault.set(NAME, f"{before}value three of it{after}")
    assert key_vault.refresh(NAME) == "value three of it"


def test_a_secret_of_blanks_alone_is_empty(key_vault: KeyVault, vault: LocalKeyVault) -> None:
    """A secret of blanks counts as empty."""
    vault.set(NAME, " \r\n")
    with pytest.raises(SecretUnavailable, match="it is empty"):
        key_vault.get(NAME)


def test_the_vault_is_known_by_its_address(key_vault: KeyVault, vault: LocalKeyVault) -> None:
    """The vault's text for other errors is its address."""
    assert str(key_vault) == key_vault.url == vault.url
