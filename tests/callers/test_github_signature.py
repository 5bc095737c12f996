"""GitHub's signatures: of the raw body, with either value of the secret, and in one form."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.callers.github_signature import GitHubSignature
from shared.callers.shared_secrets import SharedSecret
from tests.support.callback_keys import NEW, OLD, Vault


def signature(body: bytes, secret: str) -> str:
    """Sign a body as GitHub does."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def verifier(vault: Vault) -> GitHubSignature:
    """Return a verifier with the secret of a vault."""
    return GitHubSignature(SharedSecret(vault, lambda: "github", setting="UPDRAFT_GITHUB_SECRET"))


@given(body=st.binary(max_size=500), other=st.binary(max_size=500))
def test_a_signature_is_of_one_body(body: bytes, other: bytes) -> None:
    """It is valid only for the same bytes, with the new value and the old."""
    github = verifier(Vault(f"{NEW} {OLD}"))
    for secret in (NEW, OLD):
        assert github.verify(body, signature(body, secret))
    if other != body:
        assert not github.verify(other, signature(body, NEW), since=0.0)


def test_githubs_own_example() -> None:
    """These tests sign like GitHub: the example of its page (with a secret that is too short here)."""
    example = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signature(b"Hello, World!", "It's a Secret to Everybody") == example


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256=",
        "SHA256=" + "0" * 64,
        "sha256=" + "G" * 64,
        "sha256=" + "0" * 65,
        "sha256=" + "٣" * 64,
        " sha256=" + "0" * 64,
        "sha256=" + "0" * 64 + "\n",
        "sha1=" + "0" * 40,
    ],
)
def test_what_has_another_form_costs_no_read(text: str) -> None:
    """A value in another form is not a signature, with any secret."""
    vault = Vault(NEW)
    assert not verifier(vault).verify(b"x", text)
    assert vault.reads == 0
