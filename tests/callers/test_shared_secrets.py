"""Shared secrets: their form, their rotation, and the pause between reads."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.azure.refreshing import TooManyWaiting
from shared.callers.key_reads import BUSY
from shared.callers.shared_secrets import REREAD_PAUSE, SHORTEST, SharedSecret, shared_values
from shared.errors import KeysUnavailable, SecretUnavailable, SettingsError
from shared.http_api.refusals import refusal_of
from tests.support.callback_keys import NEW, OLD, Vault
from tests.support.clocks import UnixClock

UNUSABLE = [
    "",
    " ",
    "\n",
    "\t \u00a0",
    "x",
    "0",
    "x" * (SHORTEST - 1),
    f"{NEW} short",
    f"short {NEW}",
    f"{NEW} {OLD} {'z' * 50}",
    "a phrase of several words that is long enough as a whole",
    f"{'x' * SHORTEST}\u200b",
    f"{'x' * SHORTEST}\0",
    f"{'x' * SHORTEST}\x1b[0m",
]


def secret(vault: Vault, clock: UnixClock) -> SharedSecret:
    """Return a secret of a vault, on a clock."""
    return SharedSecret(vault, lambda: "key", setting="UPDRAFT_MADE_UP", clock=clock, monotonic=clock)


@pytest.mark.parametrize("text", [NEW, f"{NEW} {OLD}", f"\r\n{NEW}\t\n{OLD} ", "x" * SHORTEST])
def test_one_value_or_two_are_usable(text: str) -> None:
    """The values come newest first; blanks and line ends around them are not part of them."""
    assert shared_values(text) == tuple(text.split())


@pytest.mark.parametrize("text", UNUSABLE)
def test_an_unusable_secret_is_a_mistake_that_names_its_setting(
    text: str, clock: UnixClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The error names the setting and the fix, never the value; no sender is accepted or refused finally."""
    shared = secret(Vault(text), clock)
    with pytest.raises(SecretUnavailable) as mistake:
        shared.values()
    with pytest.raises(KeysUnavailable) as answer:
        shared.find(lambda _: True)
    told = f"{mistake.value} {answer.value} {refusal_of(answer.value).reply()} {caplog.text}"
    assert mistake.value.permanent
    assert "UPDRAFT_MADE_UP" in str(mistake.value)
    assert "openssl rand -base64 48" in str(mistake.value)
    assert not any(part in told for part in text.split() if len(part) > 1 and part not in str(UNUSABLE[10]))


@given(text=st.text(max_size=200))
def test_any_text_is_usable_or_not_and_nothing_else(text: str) -> None:
    """Values of any secret are long, visible, without blanks, and at most two."""
    values = shared_values(text)
    if values is not None:
        assert 1 <= len(values) <= 2
        assert all(len(value) >= SHORTEST and value.isprintable() for value in values)
        assert all(value in text for value in values)


def test_a_value_that_was_set_just_now_is_found(clock: UnixClock) -> None:
    """A signature that matches no cached value makes a read of the secret."""
    vault = Vault(OLD)
    shared = secret(vault, clock)
    vault.value = f"{NEW} {OLD}"
    assert shared.find(lambda value: value == NEW) == NEW
    assert shared.find(lambda value: value == OLD) == OLD
    assert vault.reads == 1


def test_nobody_is_refused_for_good_without_a_read(clock: UnixClock) -> None:
    """One read proves that a value is missing; until the next read the error has a time to wait."""
    vault = Vault(NEW)
    shared = secret(vault, clock)
    assert shared.find(lambda _: False) is None
    for second in range(int(REREAD_PAUSE)):
        with pytest.raises(KeysUnavailable) as caught:
            shared.find(lambda _: False)
        assert caught.value.retry_after == REREAD_PAUSE - second
        clock.now += 1
    assert vault.reads == 1
    assert shared.find(lambda _: False) is None
    assert vault.reads == 2


def test_what_arrived_before_a_read_is_decided_by_it(clock: UnixClock) -> None:
    """One read decides about all signatures that arrived before it, and about no later ones."""
    vault = Vault(NEW)
    shared = secret(vault, clock)
    arrived = clock.now
    clock.now += 1
    shared.find(lambda _: False)
    assert shared.find(lambda _: False, since=arrived) is None
    with pytest.raises(KeysUnavailable):
        shared.find(lambda _: False, since=clock.now)
    assert vault.reads == 1


def test_while_the_vault_is_away_the_held_value_is_good(
    clock: UnixClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed read decides nothing, drops no value, and is logged once a minute."""
    vault = Vault(NEW)
    shared = secret(vault, clock)
    vault.broken = SecretUnavailable("the vault is away")
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            shared.find(lambda _: False)
        assert shared.find(lambda value: value == NEW) == NEW
        clock.now += REREAD_PAUSE
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_missing_setting_is_the_operators_matter(clock: UnixClock) -> None:
    """A missing setting is another error than a secret that cannot be read now."""

    def missing() -> str:
        raise SettingsError("UPDRAFT_MADE_UP is missing")

    with pytest.raises(SettingsError):
        SharedSecret(Vault(NEW), missing, setting="UPDRAFT_MADE_UP").find(lambda _: True)


def test_a_thread_too_many_is_not_an_operators_matter(
    clock: UnixClock, caplog: pytest.LogCaptureFixture
) -> None:
    """While too many threads wait for the vault, the error has a short time to wait, without a log line."""
    vault = Vault(NEW)
    vault.error = TooManyWaiting("two threads wait")
    with pytest.raises(KeysUnavailable) as caught:
        secret(vault, clock).find(lambda _: True)
    assert caught.value.retry_after == BUSY
    assert not caplog.records
