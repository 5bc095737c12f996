"""A channel decides the types, sources and times of its events: attacks with other types, headers and clocks.

Every attack is a request to the app in a host, past the platform's key, which the host of the tests does not
ask for: the attacker has the key of the kind that it posts to.
"""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import requests

from tests.support import http_app
from tests.support.http_app import AGENT, GITHUB_KEY, Caller

CHANNELS: Final = """
connections:
  stub: {url: "%UPDRAFT_AIRFLOW_URL%", auth: {kind: entra, scope: "api://airflow/.default"}}
rules:
  - {name: storage, when: {types: [Microsoft.Storage.*]}, start: {dag: greet}}
  - {name: swap, when: {types: [Microsoft.Web.SlotSwapCompleted]}, start: {dag: greet}}
  - {name: arm, when: {sources: [/subscriptions/]}, start: {dag: greet}}
  - {name: shop, when: {types: [Shop.*]}, start: {dag: greet}}
  - {name: kudu, when: {types: [Microsoft.Web.Kudu.*]}, start: {dag: greet}}
  - {name: github, when: {types: [com.github.*]}, start: {dag: greet, conf: {type: "{{ type }}"}}}
  - {name: acr, when: {types: [Microsoft.ContainerRegistry.*]}, start: {dag: greet}}
  - {name: devops, when: {types: [build.*, git.*, workitem.*, ms.vss-release.*]}, start: {dag: greet}}
  - {name: signed, when: {types: [com.github.*], via: hook/github}, start: {dag: greet}}
  - {name: from-storage, when: {types: ["*"], via: [queue, webhook]}, start: {dag: greet}}
  - name: newest
    when: {types: [build.*, Shop.*], filter: [{operatorType: IsNotNull, key: data.k}]}
    start: {dag: smoke_tests}
    latest_by: "{{ data.k }}"
callers:
  - {name: agent, object_id: AGENT, events: ["shop.*"], sources: ["/shops/*"], rate: 1000/s}
  - {name: pretender, role: Pretends, events: ["com.github.*"], rate: 1000/s}
"""

CHANGED: Final = {"specversion": "1.0", "source": "/shops/1", "type": "Shop.Changed", "data": {"k": "south"}}
PAST: Final = 2
"""The number of the one event in a row that is of the past."""
REPOSITORY: Final = {"repository": {"url": "https://api.github.com/repos/a/b"}, "sender": {"login": "x"}}
DEVOPS: Final = {"id": "1", "publisherId": "tfs", "eventType": "build.complete", "resource": {}}
KUDU: Final = {"id": "d1", "status": "success", "siteName": "shop", "endTime": "2026-01-01T00:00:00Z"}
ACR: Final = {"id": "1", "action": "push", "target": {}, "request": {"host": "contoso.azurecr.io"}}
FOREIGN_TYPES: Final = (
    "Microsoft.Storage.BlobCreated",
    "microsoft.storage.blobcreated",
    "Microsoft.Web.SlotSwapCompleted",
    "Microsoft.ContainerRegistry.ImagePushed",
    "Microsoft.Web.Kudu.PostDeployment",
    "com.github.deployment_status.success",
    "COM.GITHUB.push",
    "Shop.Opened",
    "Updraft.WindowClosed",
    "Updraft.RunRequested",
    "buildx.complete",
    "build",
    " build.complete",
    "build.complete\u200b",
    "ms.vss-anything.else",
    "*",
    "",
)


@pytest.fixture
def settings(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of the callers' tests, with a rule for each channel."""
    monkeypatch.setattr(http_app, "RULES", CHANNELS.replace("AGENT", AGENT.object_id))
    return settings


def rules_started(caller: Caller) -> set[str]:
    """Return the names of the rules that started a run, and forget the runs."""
    names = {run_id.partition("__")[0] for _, run_id in caller.stub.runs}
    caller.stub.runs.clear()
    return names


def confs(caller: Caller, rule: str) -> list[Any]:
    """Return the confs of a rule's runs."""
    return [run["conf"] for (_, run_id), run in caller.stub.runs.items() if run_id.startswith(f"{rule}__")]


def github(caller: Caller, body: object, **headers: str) -> int:
    """Post a body as GitHub would, signed, and return the status."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = "sha256=" + hmac.new(GITHUB_KEY.encode(), raw, hashlib.sha256).hexdigest()
    return caller.post("hooks/github", None, raw, X_Hub_Signature_256=signature, **headers).status_code


class TestAzureDevOps:
    """The hook that names its type itself."""

    @pytest.mark.parametrize("event_type", FOREIGN_TYPES)
    def test_a_type_of_another_channel_starts_nothing(self, caller: Caller, event_type: str) -> None:
        """A sender with this hook's key cannot send events of storage, web apps, GitHub or callers."""
        body = DEVOPS | {
            "eventType": event_type,
            "resource": {
                "name": "/blobServices/default/containers/orders/evil.csv",
                "url": "https://x/e.csv",
            },
            "url": "https://attacker.example/evil.csv",
            "targetSlot": "production",
            "subject": "/blobServices/default/containers/orders/evil.csv",
            "topic": "/subscriptions/0/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a",
            "source": "/subscriptions/0",
            "type": "Microsoft.Storage.BlobCreated",
            "specversion": "1.0",
        }
        caller.post("hooks/azure-devops", None, body)
        assert rules_started(caller) == set()

    @pytest.mark.parametrize(
        "containers",
        [
            {"account": {"id": "/subscriptions/0"}},
            {"account": {"id": "../../subscriptions/0"}},
            {"account": {"id": "a"}, "project": {"id": "p/../../../subscriptions/0"}},
        ],
    )
    def test_a_source_of_another_channel_starts_nothing(
        self, caller: Caller, containers: dict[str, Any]
    ) -> None:
        """The source names an organization, a project or a publisher, and nothing below or beside them."""
        caller.post("hooks/azure-devops", None, DEVOPS | {"resourceContainers": containers})
        assert rules_started(caller) == set()

    def test_its_own_types_go_on(self, caller: Caller) -> None:
        """Events of Azure DevOps start only the rules for Azure DevOps."""
        assert caller.post("hooks/azure-devops", None, DEVOPS).status_code == 202
        assert rules_started(caller) == {"devops"}


class TestKuduAndRegistry:
    """The hooks whose type is made of the body."""

    @pytest.mark.parametrize(
        "change",
        [
            {"hostName": "orders.blob.core.windows.net/x.scm.azurewebsites.net"},
            {"hostName": "a@b.scm.azurewebsites.net"},
            {"hostName": "https://api.github.com"},
            {"hostName": "/subscriptions/0"},
        ],
    )
    def test_kudus_source_is_the_host_of_kudu(self, caller: Caller, change: dict[str, str]) -> None:
        """A host that is not one of App Service's is not believed."""
        assert caller.post("hooks/kudu", None, KUDU | change).status_code == 202
        (conf,) = confs(caller, "kudu")
        assert conf["_updraft"]["event"]["source"] == "https://shop.scm.azurewebsites.net"
        assert conf["_updraft"]["via"] == "hook/kudu"
        assert rules_started(caller) == {"kudu"}

    @pytest.mark.parametrize("site", ["shop/../x", "shop/slots/y", "/subscriptions/0", "a b", "shop?x", ""])
    def test_kudus_app_is_a_name(self, caller: Caller, site: str) -> None:
        """A site's name with a slash would be a subject of something else."""
        caller.post("hooks/kudu", None, KUDU | {"siteName": site})
        assert rules_started(caller) == set()

    @pytest.mark.parametrize(
        "host", ["orders.blob.core.windows.net", "x/azurecr.io", "azurecr.io.evil.example"]
    )
    def test_a_registrys_source_is_the_host_of_a_registry(self, caller: Caller, host: str) -> None:
        """Another host is refused."""
        caller.post("hooks/acr", None, ACR | {"request": {"host": host}})
        assert rules_started(caller) == set()

    @pytest.mark.parametrize("action", ["../x", "push.x", "Push", "Microsoft.Storage.BlobCreated", "a" * 41])
    def test_a_registrys_action_is_a_word(self, caller: Caller, action: str) -> None:
        """An action that is not a word cannot be the end of a type."""
        caller.post("hooks/acr", None, ACR | {"action": action})
        assert rules_started(caller) == set()

    @pytest.mark.parametrize("kind", ["acr", "azure-devops", "kudu"])
    def test_an_envelope_is_not_read_in_a_hook(self, caller: Caller, kind: str) -> None:
        """A CloudEvent, an Event Grid event and CloudEvents' headers say nothing there."""
        cloud = {"specversion": "1.0", "id": "1", "source": "/shops/1", "type": "Shop.Opened"}
        grid = {
            "id": "1",
            "topic": "/subscriptions/0",
            "eventType": "Shop.Opened",
            "eventTime": "x",
            "data": {},
        }
        for body in (cloud, grid, [cloud], {"event": cloud, "deadletterProperties": {}}):
            caller.post(f"hooks/{kind}", None, body)
            caller.post(
                f"hooks/{kind}",
                None,
                body,
                ce_id="1",
                ce_type="Shop.Opened",
                ce_source="/s",
                ce_specversion="1.0",
            )
        assert rules_started(caller) == set()

    def test_an_array_is_no_way_round_the_rate(self, caller: Caller) -> None:
        """One delivery is one event: an array of many is refused."""
        for text in (b"[%s]", b" \n[%s]", b"\xef\xbb\xbf[%s]"):
            body = text % json.dumps(KUDU).encode()
            assert caller.post("hooks/kudu", None, body).status_code == 400
        assert rules_started(caller) == set()


class TestGitHub:
    """One signed body is one event, with any unsigned headers."""

    @pytest.mark.parametrize(
        "header",
        [
            "deployment_status.success",
            "deployment_status",
            "DEPLOYMENT_STATUS",
            "push",
            "Push",
            "release",
            "ping",
            "../x",
            "push\tx",
            "\xe9",
            "x" * 300,
            "",
        ],
    )
    def test_a_header_makes_no_other_event(self, caller: Caller, header: str) -> None:
        """A signed body of an issue starts one run, of an issue, under one id."""
        body = {"action": "opened", "issue": {"id": 1, "state": "success"}, **REPOSITORY}
        assert github(caller, body) == 202
        ids = set(caller.stub.runs)
        assert github(caller, body, X_GitHub_Event=header, X_GitHub_Delivery=header.strip() or "1") == 202
        assert set(caller.stub.runs) == ids
        assert [conf["type"] for conf in confs(caller, "github")] == ["com.github.issues.opened"]
        assert rules_started(caller) == {"github", "signed"}

    def test_an_event_without_a_row_is_other(self, caller: Caller) -> None:
        """Events outside the table have one type, and no header changes it."""
        body = {"action": "created", "alert": {"number": 1}, **REPOSITORY}
        for header in ("dependabot_alert", "push", "code_scanning_alert", "other.x"):
            assert github(caller, body, X_GitHub_Event=header) == 202
        assert [conf["type"] for conf in confs(caller, "github")] == ["com.github.other"]

    def test_the_signature_is_of_the_raw_bytes(self, caller: Caller) -> None:
        """The signature does not match the same JSON in other bytes, or with a compressed encoding."""
        body = {"action": "opened", "issue": {"id": 1}, **REPOSITORY}
        raw = json.dumps(body).encode()
        signature = "sha256=" + hmac.new(GITHUB_KEY.encode(), raw, hashlib.sha256).hexdigest()
        for other in (
            raw + b" ",
            b"\xef\xbb\xbf" + raw,
            raw.replace(b": ", b":"),
            raw.decode().encode("utf-16"),
        ):
            answer = caller.post("hooks/github", None, other, X_Hub_Signature_256=signature)
            # 503: it may be of a new secret, which is not read again yet, and this host has no queue for it
            assert answer.status_code in {403, 503}
        for coding in ("gzip", "br", "identity, gzip"):
            answer = caller.post(
                "hooks/github", None, raw, X_Hub_Signature_256=signature, Content_Encoding=coding
            )
            assert answer.status_code == 415
        assert rules_started(caller) == set()

    def test_no_other_hook_is_a_way_to_githubs_events(self, caller: Caller) -> None:
        """A GitHub body without a signature starts nothing at the hooks without signatures."""
        body = {"action": "opened", "issue": {"id": 1}, **REPOSITORY, **DEVOPS, **ACR, **KUDU}
        for kind in ("acr", "azure-devops", "kudu"):
            caller.post(f"hooks/{kind}", None, body, X_GitHub_Event="issues")
        assert not rules_started(caller) & {"github", "signed"}


class TestVia:
    """How an event came is stamped, and a rule that asks for it is started in no other way."""

    def test_a_caller_may_name_the_type_and_not_the_way(self, caller: Caller) -> None:
        """A caller who may send GitHub's types starts no rule that asks for GitHub's hook."""
        claims = {"via": "hook/github", "updraftvia": "hook/github", "schema": "github"}
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": "1",
            "source": "https://api.github.com/repos/a/b",
        }
        event |= {"type": "com.github.push", "data": {"via": "hook/github"}, **claims}
        token = caller.token(http_app.STRANGER, roles=["Pretends"])
        headers = {"via": "hook/github", "x_via": "hook/github", "ce_via": "hook/github"}
        answer = caller.post("events", token, event, **headers)
        assert answer.status_code == 202
        (conf,) = confs(caller, "github")
        assert conf["_updraft"]["via"] == "events"
        assert rules_started(caller) == {"github"}

    def test_a_hook_says_its_own_way(self, caller: Caller) -> None:
        """`_updraft.via` of a run is the hook that its event came by."""
        body = {"via": "queue", "arrived": "2000-01-01T00:00:00Z"}
        caller.post("hooks/acr", None, ACR | body)
        caller.post("hooks/azure-devops", None, DEVOPS | body)
        caller.post("hooks/kudu", None, KUDU | body)
        github(caller, {"action": "opened", "issue": {"id": 1}, **REPOSITORY, **body})
        ways = {
            "acr": "hook/acr",
            "devops": "hook/azure-devops",
            "kudu": "hook/kudu",
            "github": "hook/github",
            "signed": "hook/github",
        }
        assert {rule: [conf["_updraft"]["via"] for conf in confs(caller, rule)] for rule in ways} == {
            rule: [way] for rule, way in ways.items()
        }
        assert rules_started(caller) == set(ways)


class TestTime:
    """An event does not put itself in front of those that follow."""

    @pytest.mark.parametrize(
        "time", ["2999-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2999-01-01 00:00:00z"]
    )
    def test_one_event_of_a_far_future_keeps_no_other_from_starting(self, caller: Caller, time: str) -> None:
        """By a hook or by a caller: the genuine event that comes later starts its run."""
        body = DEVOPS | {"createdDate": time, "k": "north"}
        assert caller.post("hooks/azure-devops", None, body).json() == {"outcomes": {"started": 2}}
        later = "2100-01-01T00:00:00Z"
        for number, when in enumerate((time, later, "2026-11-01T00:00:00Z")):
            event = CHANGED | {"id": str(number), "time": when}
            answer = caller.post("events", caller.token(AGENT), event)
            assert ("superseded" in newest(answer)) == (number == PAST)
        fresh = CHANGED | {"id": "9", "time": in_a_moment()}
        answer = caller.post("events", caller.token(AGENT), fresh)
        assert "dag_run_id" in newest(answer)


def newest(answer: requests.Response) -> dict[str, Any]:
    """Return the result of `POST /api/events` for the rule with `latest_by`."""
    runs: list[dict[str, Any]] = answer.json()["events"][0]["runs"]
    return next(run for run in runs if run["rule"] == "newest")


def in_a_moment() -> str:
    """Return the time in a second, which is later than all arrivals so far."""
    return (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
