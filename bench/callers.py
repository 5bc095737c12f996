"""The cost to verify a caller: an Entra-shaped token with 20 groups, with the tenant's keys cached.

It is processor time, because verification does not wait: other programs on the machine do not count.
"""

from collections.abc import Callable
from statistics import median
from time import process_time
from typing import Final

from bench.results import Figure
from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.callbacks.tokens import ReverseTokens
from shared.callers import SigningKeys, TokenPolicy, TokenVerifier, tenant_issuers
from shared.runs.ref import RunRef

TOKENS: Final = 200
REPEATS: Final = 7
BAR_MILLISECONDS: Final = 0.3

_AUDIENCE: Final = "api://updraft"
_OUTCOMES: Final = "https://updraft.example/api/outcomes"


class _OneKey:
    """A vault with one made-up key."""

    def get(self, name: str, **_: int | None) -> str:
        """Return it."""
        return f"{name}-{'k' * 43}"

    refresh = reread = get


def measure() -> list[Figure]:
    """Time the verification of a caller's token, and of a run token."""
    with IdentityEndpoint() as endpoint:
        issuers = tenant_issuers(endpoint.url, endpoint.tenant_id)
        verifier = TokenVerifier(
            TokenPolicy(endpoint.tenant_id, issuers, frozenset({_AUDIENCE})),
            SigningKeys(endpoint.url, endpoint.tenant_id, issuers=issuers),
        )
        groups = [f"00000000-0000-4000-8000-{number:012d}" for number in range(20)]
        tokens = [endpoint.issue(_AUDIENCE, groups=[*groups]) for _ in range(TOKENS)]
        verifier.verify(tokens[0])  # the key set is fetched once
        callers = _milliseconds(tokens, verifier.verify)
    reverse = ReverseTokens(_OneKey(), secret="bench", audience=_OUTCOMES)  # noqa: S106 - a secret's name
    own = [
        reverse.issue(RunRef("analytics", "smoke_tests", f"r{number}"), lifetime=60)
        for number in range(TOKENS)
    ]
    return [
        Figure("verify_caller", callers, "ms", BAR_MILLISECONDS),
        Figure("verify_reverse_token", _milliseconds(own, reverse.verify), "ms", BAR_MILLISECONDS),
    ]


def _milliseconds(tokens: list[str], verify: Callable[[str], object]) -> float:
    """Return the median over repeats of the mean time for one token."""
    times: list[float] = []
    for _ in range(REPEATS):
        started = process_time()
        for token in tokens:
            verify(token)
        times.append((process_time() - started) / len(tokens) * 1000)
    return median(times)
