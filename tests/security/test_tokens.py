"""No invalid token is accepted: the table of attacks at the app, over HTTP, and at Airflow's verifier.

`attack_tokens.py` has the table. `for_airflow/tests/test_entra_tokens.py` runs it in Airflow's environment.
The fixture `watch` fails a test whose answers or log lines hold a token.
"""

import contextlib
import http.client
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.stand_ins.identity_endpoint import Identity, IdentityEndpoint
from shared.callers import SigningKeys, TokenPolicy, TokenVerifier, entry_applies, tenant_issuers
from shared.callers.errors import TokenRefused
from shared.errors import KeysUnavailable
from shared.rules.model.callers import CallerSpec
from tests.security.attack_tokens import (
    APPS,
    BOTH,
    NOBODY,
    PORTAL,
    SCOPE,
    USERS,
    Attack,
    World,
    attacks,
    bad_published_keys,
    good_published_key,
)
from tests.support.callers import AUDIENCE, Authority
from tests.support.http_app import CLIENT_ID, ROLE, STRANGER, Caller
from tests.support.paths import ROOT

type LetsIn = Callable[[str], frozenset[str]]
"""Returns the settings that let a token in."""

ENTRIES = {
    APPS: CallerSpec.model_validate({"name": "applications", "role": ROLE, "dags": ["*"]}),
    USERS: CallerSpec.model_validate(
        {"name": "users", "role": ROLE, "dags": ["*"], "scopes": [SCOPE], "clients": [PORTAL]}
    ),
}
AT_HEADER = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,8000}[\x21-\x7e])?")
"""Texts that a client can send after `Bearer `, and that a server gets unchanged."""


def world_of(authority: IdentityEndpoint, identity: Identity) -> World:
    """Return whose tokens the table has, at this authority."""
    return World(
        tenant_id=authority.tenant_id,
        client_id=CLIENT_ID,
        uri=AUDIENCE,
        object_id=identity.object_id,
        app_id=identity.client_id,
        role=ROLE,
        key=authority._private_key,
        key_id=authority.key_id,
    )


@pytest.fixture
def world(authority: Authority) -> World:
    """The tokens of an authority."""
    return world_of(authority, Identity())


def app_side(authority: IdentityEndpoint) -> LetsIn:
    """Return the app's verifier with the authority's keys on the wire, and entries for its identities."""
    issuers = tenant_issuers(authority.url, authority.tenant_id)
    policy = TokenPolicy(authority.tenant_id, issuers, frozenset({CLIENT_ID, AUDIENCE}))
    verifier = TokenVerifier(policy, SigningKeys(authority.url, authority.tenant_id, issuers=issuers))

    def lets_in(token: str) -> frozenset[str]:
        try:
            identity = verifier.verify(token)
        except (TokenRefused, KeysUnavailable):
            return NOBODY
        return frozenset(name for name, entry in ENTRIES.items() if entry_applies(entry, identity))

    return lets_in


@pytest.fixture
def airflow_side(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[IdentityEndpoint], LetsIn]]:
    """The verifier of `for_airflow`, without Airflow, in both settings."""
    monkeypatch.syspath_prepend(str(ROOT / "for_airflow/src"))
    tokens: Any = importlib.import_module("updraft_airflow.entra_tokens")
    keys: Any = importlib.import_module("updraft_airflow.signing_keys")

    def of(authority: IdentityEndpoint) -> LetsIn:
        issuers = tokens.tenant_issuers(authority.url, authority.tenant_id)
        source = keys.EntraKeys(authority.url, authority.tenant_id, issuers=issuers)
        policy = (authority.tenant_id, issuers, frozenset({CLIENT_ID, AUDIENCE}), frozenset({ROLE}))
        users = {"user_scopes": frozenset({SCOPE}), "user_clients": frozenset({PORTAL})}
        verifiers = {
            APPS: tokens.TokenVerifier(tokens.TokenPolicy(*policy), source),
            USERS: tokens.TokenVerifier(tokens.TokenPolicy(*policy, **users), source),
        }

        def lets_in(token: str) -> frozenset[str]:
            found = set()
            for name, verifier in verifiers.items():
                with contextlib.suppress(tokens.Refused, keys.KeysUnavailable):
                    verifier.verify(token)
                    found.add(name)
            return frozenset(found)

        return lets_in

    yield of
    for name in [name for name in sys.modules if name.partition(".")[0] == "updraft_airflow"]:
        del sys.modules[name]


type AirflowSide = Callable[[IdentityEndpoint], LetsIn]


def test_both_verifiers_give_the_verdict_of_the_table(
    authority: Authority, world: World, airflow_side: AirflowSide
) -> None:
    """The app and Airflow accept or refuse each token of the table, in both settings."""
    table = attacks(world)
    expected = {name: attack.opens for name, attack in table.items()}
    for side in (app_side(authority), airflow_side(authority)):
        assert {name: side(attack.token) for name, attack in table.items()} == expected
    assert sum(opens == NOBODY for opens in expected.values()) > 500


def test_a_published_key_that_is_not_for_tokens_is_not_used(
    authority: Authority, world: World, airflow_side: AirflowSide
) -> None:
    """An entry of the key set that is weak, for another use or of another kind verifies nothing."""
    known = authority.entry()
    verdicts = {}
    for name, each in {"good": good_published_key(world), **bad_published_keys(world)}.items():
        authority.entries = [dict(each.entry), 7, known]
        verdicts[name] = app_side(authority)(each.token), airflow_side(authority)(each.token)
    assert verdicts.pop("good") == (BOTH, BOTH)
    assert verdicts == dict.fromkeys(verdicts, (NOBODY, NOBODY))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from([SCOPE, PORTAL, ROLE, CLIENT_ID, AUDIENCE, "app", "user", "0", "1", "2", f"x {SCOPE}"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
CLAIMS = st.sampled_from(
    [
        "aud",
        "iss",
        "iat",
        "nbf",
        "exp",
        "tid",
        "oid",
        "sub",
        "azp",
        "appid",
        "azpacr",
        "appidacr",
        "roles",
        "scp",
        "idtyp",
        "groups",
        "jti",
        "ver",
    ]
)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(changes=st.dictionaries(CLAIMS, JSON, min_size=1, max_size=3), of_user=st.booleans())
def test_both_verifiers_agree_about_any_claims(
    authority: Authority, world: World, airflow_side: AirflowSide, changes: dict[str, Any], *, of_user: bool
) -> None:
    """App and Airflow give the same verdict for any signed token, and nothing is raised."""
    good = world.user() if of_user else world.claims()
    token = world.issued(good | changes)
    assert app_side(authority)(token) == airflow_side(authority)(token)


@FUZZ
@given(
    part=st.integers(0, 2),
    at=st.integers(0, 5_000),
    instead=st.text(max_size=3) | st.sampled_from("=.-_+/A \n"),
    cut=st.integers(0, 3),
)
def test_no_change_of_a_tokens_text_is_let_in(
    authority: Authority, world: World, airflow_side: AirflowSide, part: int, at: int, instead: str, cut: int
) -> None:
    """A good token with any piece of it replaced, cut out or put in opens nothing, at either side."""
    good = world.issued(world.claims())
    parts = good.split(".")
    at %= len(parts[part])
    parts[part] = parts[part][:at] + instead + parts[part][at + cut :]
    token = ".".join(parts)
    expected = BOTH if token == good else NOBODY
    assert (app_side(authority)(token), airflow_side(authority)(token)) == (expected, expected)


MODES = {APPS: ("Table.Apps", "smoke_two"), USERS: ("Table.Users", "greet")}
"""For each setting, the type of event and the DAG that its entry allows."""


class TestOnTheWire:
    """The table at the app in a host."""

    @pytest.fixture(autouse=True)
    def _no_rate(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Allow one identity to send the whole table; `test_cost.py` tests the rate of unknown identities."""
        monkeypatch.setattr("shared.callers.permissions.WITHOUT_ENTRY", "100000/m")

    def statuses(self, caller: Caller, table: dict[str, Attack], mode: str, path: str) -> dict[str, int]:
        """Send a request with each token, and return the answers."""
        kind, dag = MODES[mode]
        event = {"specversion": "1.0", "id": "1", "source": "/s", "type": kind}
        report = {"run": {"dag_id": "greet", "dag_run_id": "greet__1__a"}, "state": "success"}
        where, body = {
            "events": ("events", event),
            "runs": (f"dags/{dag}/runs", {}),
            "outcomes": ("outcomes", report),
        }[path]
        return {
            name: caller.post(where, attack.token, body, Idempotency_Key="k").status_code
            for name, attack in table.items()
        }

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("path", ["events", "runs"])
    def test_the_table_opens_what_it_says(self, caller: Caller, mode: str, path: str) -> None:
        """Over HTTP each token is 202, or 401, or 403 for one that is good and has no right; nothing else."""
        table = sendable(caller)
        statuses = self.statuses(caller, table, mode, path)
        opened = {name for name, status in statuses.items() if status == 202}
        assert opened == {name for name, attack in table.items() if mode in attack.opens}
        rest = {name: status for name, status in statuses.items() if name not in opened}
        may_be = {name: {401, 403, 503} if table[name].unknown_key else {401, 403} for name in rest}
        assert {name: status for name, status in rest.items() if status not in may_be[name]} == {}
        assert len(caller.stub.runs) == (path == "runs")

    def test_no_token_of_the_table_reports_an_outcome(self, caller: Caller) -> None:
        """Tokens that are accepted elsewhere have no permission to report; the others are 401."""
        statuses = self.statuses(caller, sendable(caller), APPS, "outcomes")
        assert {*statuses.values()} <= {401, 403, 503}

    def test_what_a_refusal_tells(self, caller: Caller) -> None:
        """All refusals of a forged token are the same; the owner of a genuine one may see the reason."""
        table = attacks(world_of(caller.identity, STRANGER))
        event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "Table.Users"}
        told: dict[str, dict[str, Any]] = {}
        for name, attack in table.items():
            if not attack.opens and AT_HEADER.fullmatch(attack.token) and not attack.unknown_key:
                answer = caller.post("events", attack.token, event)
                told[name] = answer.json()
                assert answer.status_code != 401 or answer.headers["WWW-Authenticate"].startswith("Bearer ")
        forged = {json.dumps(each) for name, each in told.items() if name.split(":")[0] in FORGED}
        assert len(forged) == 1
        codes = {each["code"] for each in told.values()}
        assert codes == {
            "invalid_token",
            "token_expired",
            "token_not_yet_valid",
            "wrong_audience",
            "not_allowed",
        }
        assert caller.identity.tenant_id not in json.dumps([*told.values()])

    def test_users_and_applications_without_a_right_are_told_the_same(self, caller: Caller) -> None:
        """A user without scope, known client or role does not learn which of them it is."""
        world = world_of(caller.identity, STRANGER)
        event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "Table.Users"}
        answers = {
            caller.post("events", world.issued(claims), event).text.replace(client, "client")
            for client, claims in (
                (PORTAL, world.user(scp="Profile.Read")),
                (PORTAL, world.user(scp="")),
                (PORTAL, world.user(roles=None)),
                (PORTAL, world.user(roles=["Other"])),
                (STRANGER.client_id, world.user(azp=STRANGER.client_id)),
            )
        }
        assert len(answers) == 1
        assert '"not_allowed"' in answers.pop()

    @pytest.mark.parametrize(
        ("lines", "status"),
        [
            ([], 401),
            (["Bearer"], 401),
            (["Bearer "], 401),
            (["{good}"], 401),
            (["Basic {good}"], 401),
            (["Token {good}"], 401),
            (["Bearer:{good}"], 401),
            (["Bearer{good}"], 401),
            (["Bearer\t{good}"], 401),
            (["BearerX {good}"], 401),
            (['Bearer "{good}"'], 401),
            (["Bearer {good} {good}"], 401),
            (["Bearer {good},"], 401),
            (["Bearer {good}, Bearer {good}"], 401),
            (["Bearer x, Bearer {good}"], 401),
            (["Bearer Bearer {good}"], 401),
            (["Bearer token={good}"], 401),
            (["Bearer {good};realm=x"], 401),
            (["Basic eDp4", "Basic eDp4"], 401),
            (["bearer {good}"], 202),
            (["BEARER   {good}  "], 202),
        ],
    )
    def test_the_header_holds_one_token(self, caller: Caller, lines: list[str], status: int) -> None:
        """One scheme and one token are taken, and nothing that another reader could read in another way."""
        good = unwatched(caller)
        assert sent(caller, [line.replace("{good}", good) for line in lines]) == status

    def test_a_second_header_brings_no_identity(self, caller: Caller) -> None:
        """Two headers are accepted only if one of them is."""
        world = world_of(caller.identity, STRANGER)
        bad = world.issued(world.claims(roles=["Other"]))
        for lines in ([f"Bearer {bad}", "Bearer x"], ["Bearer x", f"Bearer {bad}"], [f"Bearer {bad}"] * 2):
            assert sent(caller, lines) in (400, 401, 403)


FORGED = ("forms", "algorithms", "key_ids", "headers")
"""The groups of the table whose tokens are not the tenant's, or cannot be read."""


def sendable(caller: Caller) -> dict[str, Attack]:
    """Return the tokens of the table that a header can hold; no answer or log may have them."""
    table = attacks(world_of(caller.identity, STRANGER))
    kept = {name: attack for name, attack in table.items() if AT_HEADER.fullmatch(attack.token)}
    caller.watch.secrets |= {attack.token for attack in kept.values() if len(attack.token) > 40}
    assert len(table) - len(kept) < 30
    return kept


def unwatched(caller: Caller) -> str:
    """Return a good token."""
    world = world_of(caller.identity, STRANGER)
    return world.issued(world.claims())


def sent(caller: Caller, lines: list[str]) -> int:
    """Send an event with these lines of the header `Authorization`, and return the status."""
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "Table.Apps"}
    connection = http.client.HTTPConnection(urlsplit(caller.host.url).netloc, timeout=30)
    body = json.dumps(event).encode()
    connection.putrequest("POST", "/api/events")
    for line in lines:
        connection.putheader("Authorization", line)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status
