"""The cost of a cached credential: the headers of one connection for each request."""

from collections.abc import Callable
from statistics import median
from time import perf_counter, time
from typing import Final

from azure.core.credentials import AccessToken

from bench.results import Figure
from shared.airflow.auth.source import token_source
from shared.rules import Connection

BAR_MICROSECONDS: Final = 20.0
CALLS: Final = 2_000
ROUNDS: Final = 15

_ENTRA: Final = {"kind": "entra", "scope": "api://airflow/.default"}
_BEARER: Final = {"kind": "bearer", "token_secret": "token", "header": "X-Proxy-Authorization"}


class _Credential:
    """Returns tokens that are valid for a day."""

    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken("made-up-token", int(time()) + 86_400)


class _Secrets:
    """Returns one secret."""

    def get(self, name: str, **_: int | None) -> str:
        return f"made-up-{name}"

    refresh = reread = get


def measure() -> list[Figure]:
    """Time the headers of a connection with one kind of authentication, and with two."""
    one = _headers(_ENTRA)
    two = _headers([_BEARER, _ENTRA])
    costs: dict[str, list[float]] = {"one": [], "two": []}
    for _ in range(ROUNDS):
        for name, headers in (("one", one), ("two", two)):
            started = perf_counter()
            for _ in range(CALLS):
                headers()
            costs[name].append((perf_counter() - started) / CALLS * 1e6)
    return [
        Figure("token_hot_path", median(costs["one"]), "us", BAR_MICROSECONDS),
        Figure("token_hot_path_two_headers", median(costs["two"]), "us", BAR_MICROSECONDS),
    ]


def _headers(auth: object) -> Callable[[], object]:
    connection = Connection.model_validate(
        {"name": "analytics", "url": "https://airflow.example", "auth": auth}
    )
    return token_source(connection, secrets=_Secrets(), credential=_Credential).headers
