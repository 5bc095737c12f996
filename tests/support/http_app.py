"""The parts of the tests of calls: callers, their permissions in rules.yaml, and a client."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests

import shared.app
from cli.commands.doctor import LARGEST_BODY
from local.functions_host.host import Host
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.identity_endpoint import Audience, Identity, IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from shared.values.json_text import Json
from tests.security.attack_tokens import PORTAL, SCOPE
from tests.support.functions_host import running_host
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from tests.support.endpoints import Watch

AUDIENCE = "api://updraft"
CLIENT_ID = "6f1f0d0a-0000-4000-8000-00000000a0d1"
GROUP = "9d0c1d4e-0000-4000-8000-0000000006e0"
ROLE = "Runs.Start.Role"
"""The app role of the entries that the table of attack tokens is tried at."""
KEY = "a made-up signing key".replace(" ", "-") + "-" + "k" * 43
GITHUB_KEY = "a-made-up-github-secret-" + "g" * 32

PIPELINE = Identity()
AGENT = Identity()
AIRFLOW = Identity()
STRANGER = Identity()

RULES = f"""
connections:
  stub: {{url: "%UPDRAFT_AIRFLOW_URL%", auth: {{kind: entra, scope: "api://airflow/.default"}}}}
rules:
  - name: greet
    when: {{types: [Shop.Opened]}}
    start: {{dag: greet, conf: {{door: "{{{{ data.door }}}}"}}}}
    track: callback
  - name: trusting
    when: {{types: [Shop.Closed]}}
    start: {{dag: greet}}
    track: callback
    callback: {{token: none}}
callers:
  - name: pipeline
    app_id: {PIPELINE.client_id}
    dags: [smoke_*, missing]
    conf: [site]
    rate: 1000/s
    track: callback
  - name: agent
    object_id: {AGENT.object_id}
    events: [shop.*]
    sources: [/shops/*]
    rate: 1000/s
  - name: operators
    group: {GROUP}
    dags: ["*"]
    conf: ["*"]
    rate: 2/h
  - name: airflow
    role: Outcomes.Write
    outcomes: ["*"]
    rate: 1000/s
  - name: applications
    role: {ROLE}
    dags: [smoke_two]
    events: [Table.Apps]
    rate: 1000/s
  - name: users
    role: {ROLE}
    scopes: [{SCOPE}]
    clients: [{PORTAL}]
    dags: [greet]
    events: [Table.Users]
    rate: 1000/s
"""


@dataclass
class Caller:
    """Calls the app, and records all answers for the watch."""

    host: Host
    stub: AirflowStub
    identity: IdentityEndpoint
    watch: "Watch"
    answers: list[requests.Response] = field(default_factory=list)

    def post(
        self,
        path: str,
        token: str | None = None,
        body: object = None,
        *,
        method: str = "POST",
        **headers: str,
    ) -> requests.Response:
        """Send one request; `body` is JSON unless it is bytes, and names of headers have `_` for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        request = requests.Request(method, "http://x/", data=data, headers=sent).prepare()
        request.url = f"{self.host.url}/api/{path}"  # as it is: requests would tidy it up
        with requests.Session() as session:
            answer = session.send(request, timeout=30, allow_redirects=False)
        self.watch.output.append(f"{answer.headers}\n{answer.text}")
        self.answers.append(answer)
        return answer

    def token(self, identity: Identity = PIPELINE, **claims: Json) -> str:
        """Return a good token of an identity."""
        return self.identity.issue(AUDIENCE, identity, **claims)

    def start(
        self, dag: str = "smoke_tests", token: str | None = None, body: object = None, **headers: str
    ) -> requests.Response:
        """Ask for a run, by default as the pipeline."""
        return self.post(f"dags/{dag}/runs", self.token() if token is None else token, body, **headers)

    def reverse_token(self) -> str:
        """Return the token of the one run there is."""
        ((run),) = self.stub.runs.values()
        conf: Any = run["conf"]
        token = str(conf["_updraft"]["callback"]["token"])
        self.watch.secrets |= {token, token.rpartition(".")[2]}
        return token


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """Return a token put together by hand."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def claims_of(token: str) -> dict[str, Any]:
    """Return a token's claims, unverified."""
    decoded: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return decoded


QUEUE_FUNCTIONS = ("event_queue", "event_queue_poison", "parked_queue", "parked_queue_poison")


@pytest.fixture
def settings(stub: AirflowStub, identity: IdentityEndpoint, leases: object) -> dict[str, str]:
    """The application settings of these tests."""
    identity.expose(AUDIENCE, Audience(version=2, name=CLIENT_ID))
    return {
        "UPDRAFT_AIRFLOW_URL": stub.url,
        "UPDRAFT_TENANT_ID": identity.tenant_id.upper(),
        "UPDRAFT_AUDIENCE": f"{CLIENT_ID} {AUDIENCE}",
        "UPDRAFT_AUTHORITY": identity.url,
        "UPDRAFT_URL": "https://updraft.example",
        "UPDRAFT_GITHUB_SECRET": "github-secret",
        "UPDRAFT_HOOKS": "acr, azure-devops, kudu",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": str(LARGEST_BODY),
    }


@pytest.fixture
def caller(
    stub: AirflowStub,
    identity: IdentityEndpoint,
    vault: LocalKeyVault,
    watch: "Watch",
    settings: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Caller]:
    """The app in a host, and its caller."""
    vault.set("updraft-callback-key", f"{KEY}\n")
    vault.set("github-secret", f"{GITHUB_KEY}\r\n")  # as `--file` gives it
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    shared.app.start_anew()
    monkeypatch.setenv("UPDRAFT_RULES", str(rules))
    for name, value in {**settings, "UPDRAFT_KEY_VAULT_URI": vault.url}.items():
        monkeypatch.setenv(name, value)
    for function in QUEUE_FUNCTIONS:
        monkeypatch.setenv(f"AzureWebJobs.{function}.Disabled", "true")
    with running_host(ROOT) as host:
        yield Caller(host, stub, identity, watch)
    shared.app.start_anew()
