"""Attacks on all endpoints: wrong callers, forged run tokens, tricks in paths, headers and bodies.

`tests/security/attack_tokens.py` has the forged Entra tokens.
The fixture `watch` fails a test whose answers or log lines contain a token, a key or a secret.
"""

import base64
import hmac
import http.client
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from shared.callbacks.tokens import SCOPE, TYPE
from tests.support.http_app import (
    AGENT,
    AIRFLOW,
    GITHUB_KEY,
    GROUP,
    KEY,
    PIPELINE,
    STRANGER,
    Caller,
    claims_of,
    unsigned,
)

OUTCOMES_URL = "https://updraft.example/api/outcomes"
ENDPOINTS: dict[str, tuple[str, object]] = {
    "runs": ("dags/smoke_tests/runs", {}),
    "events": ("events", {"specversion": "1.0", "id": "1", "source": "/shops/1", "type": "Shop.Opened"}),
    "outcomes": (
        "outcomes",
        {"run": {"dag_id": "greet", "dag_run_id": "greet__1__a"}, "state": "success"},
    ),
}


def may_all(caller: Caller) -> str:
    """Return a token of an identity that may call each endpoint, so that only the request is wrong."""
    return caller.token(replace(AGENT, client_id=PIPELINE.client_id), roles=["Outcomes.Write"])


def signed_by_a_stranger(caller: Caller, **header: object) -> str:
    """Return a token with valid claims, signed with a key that the tenant does not have."""
    key = rsa.generate_private_key(65537, 2048)
    claims = claims_of(caller.token())
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": caller.identity.key_id, **header})


def signed_by_the_tenant(caller: Caller) -> str:
    """Return a valid token that the secret watch does not know."""
    header = {"kid": caller.identity.key_id}
    return jwt.encode(
        claims_of(caller.token()), caller.identity._private_key, algorithm="RS256", headers=header
    )


def forged_reverse_tokens(caller: Caller) -> dict[str, str]:
    """Return forged run tokens, by their fault."""
    good = caller.reverse_token()
    claims, header = claims_of(good), jwt.get_unverified_header(good)
    key_id, now = header["kid"], int(time.time())

    def made(secret: str = KEY, head: dict[str, object] | None = None, **changes: object) -> str:
        changed = {name: value for name, value in (claims | changes).items() if value is not None}
        return jwt.encode(
            changed, secret, algorithm="HS256", headers={"kid": key_id, "typ": TYPE, **(head or {})}
        )

    return {
        "alg none": unsigned({"alg": "none", "typ": TYPE, "kid": key_id}, claims),
        "alg none with a signature": unsigned({"alg": "none", "typ": TYPE, "kid": key_id}, claims, b"x"),
        "foreign key": made("another-key" * 5),
        "foreign kid": made(head={"kid": "0" * 16}),
        "no kid": made(head={"kid": ""}),
        "HS512": jwt.encode(claims, KEY * 2, algorithm="HS512", headers={"kid": key_id, "typ": TYPE}),
        "jku": made(head={"jku": "http://127.0.0.1:1/"}),
        "another typ": made(head={"typ": "JWT"}),
        "wrong audience": made(aud="https://another.example/api/outcomes"),
        "wrong issuer": made(iss="https://another.example"),
        "expired": made(iat=now - 7200, exp=now - 3600),
        "no expiry": made(exp=None),
        "issued later": made(iat=now + 3600),
        "another scope": made(scope="runs:write"),
        "no scope": made(scope=None),
        "no subject": made(sub=None),
        "a subject without a run": made(sub="stub/greet"),
        "a subject with more": made(sub=f"{claims['sub']}/x"),
        "too long": made(junk="x" * 4_000),
        "other claims under the signature": ".".join(
            (
                good.split(".")[0],
                base64.urlsafe_b64encode(json.dumps(claims | {"sub": "stub/greet/other"}).encode())
                .rstrip(b"=")
                .decode(),
                good.split(".")[2],
            )
        ),
    }


def statuses(caller: Caller, path: str, body: object, tokens: dict[str, str]) -> dict[str, int]:
    """Send a request with each token, and return the statuses."""
    caller.watch.secrets |= {token for token in tokens.values() if len(token) > 40}
    return {name: caller.post(path, token, body).status_code for name, token in tokens.items()}


def greeted(caller: Caller) -> dict[str, str]:
    """Start the run whose token reports, and return its name as in a report."""
    event = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/shops/1",
        "type": "Shop.Opened",
        "data": {"door": 1},
    }
    assert caller.post("events", caller.token(AGENT), event).status_code == 202
    ((dag_id, run_id),) = caller.stub.runs
    return {"dag_id": dag_id, "dag_run_id": run_id}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_other_credential_gets_in(caller: Caller, endpoint: str) -> None:
    """An empty header, a password and a key in the query are refused."""
    path, body = ENDPOINTS[endpoint]
    good = caller.token()
    for headers in (
        {},
        {"Authorization": "Basic dXBkcmFmdDp4"},
        {"Authorization": "Bearer "},
        {"Authorization": good},
    ):
        assert caller.post(path, None, body, **headers).status_code == 401
    in_query = signed_by_the_tenant(caller)  # not watched, because HTTP clients log addresses
    assert caller.post(path, in_query, body).status_code in {201, 202, 403, 503}
    caller.stub.runs.clear()
    assert caller.post(f"{path}?access_token={in_query}&code={in_query}", None, body).status_code == 401
    assert not caller.stub.runs


def test_a_stranger_of_the_tenant_may_do_nothing(caller: Caller) -> None:
    """A valid token of an identity that is not in `callers` gets 403 at each endpoint."""
    for token in (
        caller.token(STRANGER),
        caller.token(STRANGER, groups=["00000000-0000-0000-0000-000000000000"], roles=["outcomes.write"]),
        caller.token(STRANGER, groups=GROUP, roles="Outcomes.Write"),
        caller.token(STRANGER, scp="user_impersonation", azp=PIPELINE.client_id),
    ):
        for path, body in ENDPOINTS.values():
            assert caller.post(path, token, body).status_code == 403
    assert not caller.stub.runs


def test_a_caller_has_its_own_rights_alone(caller: Caller) -> None:
    """A caller may use only its own endpoints, and the answer does not show which DAGs exist."""
    path, event = ENDPOINTS["events"]
    _, outcome = ENDPOINTS["outcomes"]
    assert caller.post(path, caller.token(), event).status_code == 403
    assert caller.post("outcomes", caller.token(), outcome).status_code == 403
    for token in (caller.token(AGENT), caller.token(AIRFLOW, roles=["Outcomes.Write"])):
        assert caller.start(token=token).status_code == 403
    there, not_there = caller.start("greet"), caller.start("nobody")
    assert there.text.replace("greet", "nobody") == not_there.text
    assert not caller.stub.runs


@pytest.mark.parametrize(
    "dag_id",
    [
        "..",
        ".",
        "...",
        "smoke_tests%2F..%2F..%2Fvariables",
        "..%2Fsmoke_tests",
        "%2e%2e",
        "%2e%2e%2fadmin",
        "..%5csmoke_tests",
        "smoke_tests%00",
        "smoke_tests%0d%0aX-Evil:1",
        "smoke_tests%0a",
        "smoke_tests%20",
        "smoke_tests%3Fa=b",
        "smoke_tests%23",
        "smoke_tests;x=y",
        "sm%cc%88oke",
        "~",
        "smoke~tests",
        "smoke..tests",
        "smoke_" + "x" * 300,
        "%",
        "{{7*7}}",
    ],
)
def test_a_path_names_a_dag_or_nothing(caller: Caller, dag_id: str) -> None:
    """A DAG id in the path never leads to another path of Airflow."""
    answer = caller.start(dag_id, caller.token(STRANGER, groups=[GROUP]))
    assert answer.status_code in {400, 404}
    assert "evil" not in str(answer.headers).lower()
    assert not [seen for seen in caller.stub.seen if "dagRuns" in seen.path]


HOSTILE_BODIES: dict[str, bytes] = {
    "nested lists": b"[" * 100_000,
    "nested objects": b'{"conf":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
    "nested within the bound of Python": b'{"conf":{"site":' + b"[" * 300 + b"]" * 300 + b"}}",
    "a huge integer": b'{"conf":{"site":' + b"9" * 10_000 + b"}}",
    "a huge exponent": b'{"conf":{"site":1e999999}}',
    "NaN": b'{"conf":{"site":NaN}}',
    "half a surrogate pair": b'{"conf":{"site":"\\ud800"}}',
    "not UTF-8": b'{"conf":{"site":"\xff\xfe"}}',
    "UTF-16": '{"conf":{}}'.encode("utf-16"),
    "cut off": b'{"conf":{"site":',
    "NUL": b"\0" * 100,
    "reserved key": b'{"conf":{"_updraft":{"rule":"x"}}}',
    "prototype": b'{"__proto__":{"admin":true}}',
    "too large": b'{"conf":{"site":"' + b"x" * 2_000_000 + b'"}}',
}


@pytest.mark.parametrize(
    ("path", "token"),
    [
        ("dags/smoke_tests/runs", lambda caller: caller.token()),
        ("events", lambda caller: caller.token(AGENT)),
        ("outcomes", lambda caller: caller.token(AIRFLOW, roles=["Outcomes.Write"])),
    ],
)
def test_no_body_does_harm(caller: Caller, path: str, token: Callable[[Caller], str]) -> None:
    """Too large, nested and malformed bodies get a 4xx, also from callers with all permissions."""
    good = token(caller)
    answers = {name: caller.post(path, good, body).status_code for name, body in HOSTILE_BODIES.items()}
    assert {name: status for name, status in answers.items() if status not in {400, 413}} == {}
    assert not caller.stub.runs
    assert caller.post(path, good, HOSTILE_BODIES["too large"]).status_code == 413


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_page_in_a_browser_cannot_post(caller: Caller, media_type: str) -> None:
    """The content types of an HTML form are refused, so that foreign pages cannot post."""
    for path, body in ENDPOINTS.values():
        assert caller.post(path, may_all(caller), body, Content_Type=media_type).status_code == 415


def test_headers_cannot_be_injected(caller: Caller) -> None:
    """No text of a request is in a header of the answer, and a key or a DAG id cannot break a log line."""
    for key in ("k\tx", "k x", "ké", '"', "k" * 300):
        answer = caller.start(Idempotency_Key=key)
        assert answer.status_code == 400
        assert key not in str(answer.headers)
    raw = http.client.HTTPConnection(urlsplit(caller.host.url).netloc, timeout=10)
    raw.putrequest("POST", "/api/dags/smoke_tests/runs")
    raw.putheader("Authorization", f"Bearer {caller.token()}")
    raw.putheader("Idempotency-Key", "k")
    raw.putheader("Idempotency-Key", "k2")
    raw.putheader("Content-Length", "0")
    raw.endheaders()
    assert raw.getresponse().status in {202, 400}
    raw.close()


def test_a_run_can_report_itself_alone(caller: Caller) -> None:
    """A run token reports only its own run, and is refused at the other endpoints."""
    run = greeted(caller)
    token = caller.reverse_token()
    others = (
        {**run, "dag_run_id": "greet__other__0"},
        {**run, "dag_id": "smoke_tests"},
        {"dag_id": run["dag_id"].upper(), "dag_run_id": run["dag_run_id"]},
    )
    for other in others:
        answer = caller.post("outcomes", token, {"run": other, "state": "success"})
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong_run")
    for name in ("runs", "events"):
        path, body = ENDPOINTS[name]
        assert caller.post(path, token, body).status_code == 401
    assert len(caller.stub.runs) == 1


def test_no_forged_reverse_token_gets_in(caller: Caller) -> None:
    """Each forged run token gets 401."""
    report = {"run": greeted(caller), "state": "success"}
    tokens = forged_reverse_tokens(caller)
    assert statuses(caller, "outcomes", report, tokens) == dict.fromkeys(tokens, 401)


def test_a_reverse_token_says_little(caller: Caller) -> None:
    """A run token has only the run, its event's id, this app, one scope and two times."""
    run = greeted(caller)
    claims = claims_of(caller.reverse_token())
    assert claims.pop("exp") - claims.pop("iat") == 86_400
    assert claims == {
        "iss": OUTCOMES_URL,
        "event": "e-1",
        "aud": OUTCOMES_URL,
        "sub": f"stub/{run['dag_id']}/{run['dag_run_id']}",
        "scope": SCOPE,
    }


def test_a_foreign_kid_does_not_make_us_hammer_entra_or_the_vault(caller: Caller) -> None:
    """Many unknown key ids cause at most one new read of the keys and of the secret."""
    run = greeted(caller)
    caller.reverse_token()
    before = len([seen for seen in caller.identity.seen if "discovery" in seen.path])
    for number in range(20):
        caller.start(token=signed_by_a_stranger(caller, kid=f"k{number}"))
    assert len([seen for seen in caller.identity.seen if "discovery" in seen.path]) - before <= 1
    for number in range(20):
        forged = jwt.encode(
            {"sub": "x"}, "z" * 50, algorithm="HS256", headers={"kid": f"k{number}", "typ": TYPE}
        )
        assert caller.post("outcomes", forged, {"run": run, "state": "success"}).status_code == 401


def signature(body: bytes, key: str = GITHUB_KEY, kind: str = "sha256") -> str:
    """Return GitHub's signature of a body."""
    return f"{kind}=" + hmac.new(key.encode(), body, kind).hexdigest()


class TestHooks:
    """`POST /api/hooks/{kind}`, without the platform's key."""

    BODY = json.dumps(
        {"zen": "x", "hook": {}, "repository": {"url": "https://api.github.com/repos/a/b"}}
    ).encode()

    def test_github_has_to_sign(self, caller: Caller) -> None:
        """A missing, foreign or malformed signature gets 403, and a valid one 202."""
        good = signature(self.BODY)
        bad: dict[str, dict[str, Any]] = {
            "none": {},
            "empty": {"X_Hub_Signature_256": ""},
            "foreign": {"X_Hub_Signature_256": signature(self.BODY, "other")},
            "of nothing": {"X_Hub_Signature_256": "sha256="},
            "SHA-1": {"X_Hub_Signature": signature(self.BODY, kind="sha1")},
            "SHA-1 in the other header": {"X_Hub_Signature_256": signature(self.BODY, kind="sha1")},
            "no prefix": {"X_Hub_Signature_256": good.partition("=")[2]},
            "upper case": {"X_Hub_Signature_256": good.upper()},
            "cut off": {"X_Hub_Signature_256": good[:-1]},
            "not ASCII": {"X_Hub_Signature_256": b"sha256=\xff"},
        }
        answers = {name: caller.post("hooks/github", None, self.BODY, **each) for name, each in bad.items()}
        assert {name: each.status_code for name, each in answers.items()} == dict.fromkeys(bad, 403)
        # the secret may be new and cannot be read again yet; this test has no queue to park the delivery
        of_another_body = caller.post("hooks/github", None, self.BODY, X_Hub_Signature_256=signature(b"{}"))
        assert of_another_body.status_code == 503
        assert caller.post("hooks/github", None, self.BODY, X_Hub_Signature_256=good).status_code == 202

    @pytest.mark.parametrize("kind", ["other", "..", "github%2F..%2Fkudu", "git%00hub", "%0a"])
    def test_only_known_kinds_are_taken(self, caller: Caller, kind: str) -> None:
        """Other kinds are not found, so that no kind avoids the signature."""
        assert caller.post(f"hooks/{kind}", None, self.BODY).status_code == 404

    def test_a_hook_is_json_of_a_bounded_size(self, caller: Caller) -> None:
        """Forms and too large bodies are refused."""
        assert (
            caller.post(
                "hooks/kudu", None, b"payload={}", Content_Type="application/x-www-form-urlencoded"
            ).status_code
            == 415
        )
        assert caller.post("hooks/kudu", None, b"x" * 1_100_000).status_code == 413
