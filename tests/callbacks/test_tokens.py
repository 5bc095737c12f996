import time
from typing import Any

import jwt
import pytest

from shared.callbacks.tokens import (
    ALGORITHM,
    LONGEST_TOKEN,
    TYPE,
    InvalidRunToken,
    ReverseTokens,
    RunTokenExpired,
)
from shared.errors import KeysUnavailable, SecretUnavailable, SettingsError
from shared.runs.ref import RunRef
from tests.support.callback_keys import NEW, OLD, URL, Vault
from tests.support.http_app import claims_of, unsigned

RUN = RunRef("analytics", "smoke_tests", "smoke__2026-01-01T00:00:00+00:00__0a")


def tokens(vault: Vault, now: float = 0.0, monotonic: float = 0.0) -> ReverseTokens:
    """Return a source of tokens whose clock is `now` seconds ahead."""
    return ReverseTokens(
        vault, secret="key", audience=URL, clock=lambda: time.time() + now, monotonic=lambda: monotonic
    )


def test_a_token_names_its_run() -> None:
    """A token that was issued for a run is accepted for that run."""
    source = tokens(Vault(NEW))
    assert source.verify(source.issue(RUN, lifetime=60)) == RUN


def test_a_rotated_key_is_good_as_long_as_it_stands_second() -> None:
    """The first key signs, both verify; without the old key its tokens are refused."""
    vault = Vault(OLD)
    issued = tokens(vault).issue(RUN, lifetime=60)
    both = tokens(Vault(f"{NEW} {OLD}"))
    assert both.verify(issued) == RUN
    assert tokens(Vault(NEW)).verify(both.issue(RUN, lifetime=60)) == RUN
    with pytest.raises(InvalidRunToken):
        tokens(Vault(NEW)).verify(issued)


def test_a_key_that_another_instance_has_already_is_found() -> None:
    """For an unknown key the secret is read again, rarely; until then no token is refused finally."""
    vault = Vault(OLD)
    source = tokens(vault)
    vault.value = f"{NEW} {OLD}"
    assert source.verify(tokens(Vault(NEW)).issue(RUN, lifetime=60)) == RUN
    stranger = tokens(Vault("x" * 50)).issue(RUN, lifetime=60)
    for _ in range(5):
        with pytest.raises(KeysUnavailable) as caught:
            source.verify(stranger)
        assert caught.value.retry_after == 10
    assert vault.reads == 1


@pytest.mark.parametrize("key_id", [None, "", "x", "0" * 15, "0" * 17, "G" * 16, 7, ["0" * 16]])
def test_a_key_id_that_is_not_ours_costs_no_read(key_id: object) -> None:
    """An impossible key id is refused at once and uses up no read."""
    vault = Vault(NEW)
    source = tokens(vault)
    header = {"alg": ALGORITHM, "typ": TYPE, "kid": key_id}
    with pytest.raises(InvalidRunToken):
        source.verify(unsigned(header, claims_of(source.issue(RUN, lifetime=60)), b"x" * 32))
    assert vault.reads == 0


def test_a_forged_signature_under_a_known_key_is_refused_for_good() -> None:
    """Only an unknown key is a reason to try again."""
    source = tokens(Vault(NEW))
    header, claims, _ = source.issue(RUN, lifetime=60).split(".")
    for _ in range(2):
        with pytest.raises(InvalidRunToken):
            source.verify(f"{header}.{claims}.{'A' * 43}")


def test_a_token_expires() -> None:
    """After its lifetime and the leeway it is refused as expired."""
    source = tokens(Vault(NEW), now=-200)
    with pytest.raises(RunTokenExpired):
        source.verify(source.issue(RUN, lifetime=60))


@pytest.mark.parametrize("value", ["", "short", "x" * 31, f"{NEW} {OLD} {'z' * 50}", f"{NEW} short"])
def test_a_weak_key_is_refused(value: str) -> None:
    """No token is signed with less than 32 bytes, and the error does not show the key."""
    with pytest.raises(SecretUnavailable) as caught:
        tokens(Vault(value)).issue(RUN, lifetime=60)
    assert caught.value.permanent
    assert not value or value not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "raised"),
    [(SecretUnavailable("the vault is away"), KeysUnavailable), (SettingsError("no vault"), SettingsError)],
)
def test_without_the_key_it_cannot_be_told(error: Exception, raised: type[Exception]) -> None:
    """During an outage of the vault no token is refused finally; a missing setting is another error."""
    vault = Vault(NEW)
    source = tokens(vault)
    issued = source.issue(RUN, lifetime=60)
    vault.error = error
    with pytest.raises(raised):
        source.verify(issued)


def signed(claims: dict[str, Any], **header: object) -> str:
    """Return a token with our signature with `NEW`, and header members of the test."""
    ours = jwt.get_unverified_header(tokens(Vault(NEW)).issue(RUN, lifetime=60))
    del ours["alg"]
    return jwt.encode(claims, NEW, algorithm=ALGORITHM, headers=ours | header)


def test_a_tokens_form_never_changes() -> None:
    """A run may report a month after it started, so the token's format is the same in every version."""
    now = time.time()
    issued = ReverseTokens(Vault(NEW), secret="key", audience=URL, clock=lambda: now).issue(RUN, lifetime=60)
    assert jwt.get_unverified_header(issued) == {
        "alg": "HS256",
        "typ": "updraft-outcome+jwt",
        "kid": "3a9bd58610479d70",
    }
    assert claims_of(issued) == {
        "iss": URL,
        "aud": URL,
        "sub": "analytics/smoke_tests/smoke__2026-01-01T00:00:00+00:00__0a",
        "scope": "outcome:write",
        "iat": int(now),
        "exp": int(now) + 60,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "https://other.example"},
        {"iss": "https://other.example"},
        {"aud": None},
        {"iss": None},
        {"iat": None},
        {"exp": None},
        {"sub": None},
        {"scope": None},
        {"scope": "outcome:read"},
        {"sub": "analytics/smoke_tests"},
        {"sub": "analytics/smoke_tests/run/more"},
    ],
)
def test_every_claim_counts(change: dict[str, Any]) -> None:
    """A token with our signature and another or a missing claim is refused."""
    source = tokens(Vault(NEW))
    claims = claims_of(source.issue(RUN, lifetime=60))
    assert source.verify(signed(claims)) == RUN
    changed = {name: value for name, value in (claims | change).items() if value is not None}
    with pytest.raises(InvalidRunToken):
        source.verify(signed(changed))


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"jku": URL}, {"kid": "0" * 16}])
def test_every_header_counts(header: dict[str, str]) -> None:
    """A token of another type, or with an unknown header member, is refused."""
    source = tokens(Vault(NEW))
    with pytest.raises(InvalidRunToken):
        source.verify(signed(claims_of(source.issue(RUN, lifetime=60)), **header))


def test_clocks_may_be_a_minute_apart() -> None:
    """A token is valid up to a minute after its end."""
    source = tokens(Vault(NEW))
    assert source.verify(tokens(Vault(NEW), now=-65).issue(RUN, lifetime=60)) == RUN
    with pytest.raises(RunTokenExpired):
        source.verify(tokens(Vault(NEW), now=-130).issue(RUN, lifetime=60))


def test_a_token_that_is_too_long_is_not_read() -> None:
    """A valid token of more than 2,048 characters is refused."""
    source = tokens(Vault(NEW))
    claims = claims_of(source.issue(RUN, lifetime=60))
    sizes = {len(signed({**claims, "more": "x" * size})): size for size in range(1_000, 1_500)}
    assert LONGEST_TOKEN == 2_048
    assert source.verify(signed({**claims, "more": "x" * sizes[2_048]})) == RUN
    longer = min(length for length in sizes if length > LONGEST_TOKEN)
    with pytest.raises(InvalidRunToken):
        source.verify(signed({**claims, "more": "x" * sizes[longer]}))


@pytest.mark.parametrize(("event_id", "kept"), [("e-1", "e-1"), ("", ""), ("é", ""), ("x" * 300, "x" * 200)])
def test_a_token_names_the_event(event_id: str, kept: str) -> None:
    """The event's id goes with the token and comes back, where it is ASCII, and never makes it too long."""
    source = tokens(Vault(NEW))
    issued = source.issue(RunRef("c" * 63, "d" * 250, "r" * 250, event_id), lifetime=60)
    assert len(issued) < LONGEST_TOKEN
    assert source.verify(issued).event_id == kept
