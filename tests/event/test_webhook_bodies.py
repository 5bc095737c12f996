"""Bodies without an envelope: their events, and the same identity for a redelivery."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.event import Event, Unreadable, read_events
from shared.event.app_hosts import app_service_label, slot_in_label
from shared.event.kudu import kudu_site_and_slot
from shared.values.json_text import Json, JsonObject
from tests.support.paths import SAMPLES
from tests.support.samples import read_sample


def load(name: str) -> JsonObject:
    """Return a body of the samples."""
    document: JsonObject = json.loads((SAMPLES / name).read_text())
    return document


def read(document: Json, kind: str, **headers: str) -> Event:
    """Read a body that is an event."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    (event,) = read_events(json.dumps(document), kind=kind, headers=named)
    assert isinstance(event, Event), event
    return event


def refusal(document: Json, kind: str) -> str:
    """Return the error of a body that is not an event."""
    (event,) = read_events(json.dumps(document), kind=kind)
    assert isinstance(event, Unreadable), event
    return event.error


@pytest.mark.parametrize(
    ("name", "kind", "event_id", "source", "event_type", "subject", "time"),
    [
        (
            "kudu/success_in_slot.json",
            "kudu",
            "9fceb02d0ae598e95dc970b74767f19372d61af8/success/2026-02-03T04:05:06.5Z",
            "https://shop-blue-green.scm.azurewebsites.net",
            "Microsoft.Web.Kudu.PostDeployment",
            "/Microsoft.Web/sites/shop/slots/blue-green",
            "2026-02-03T04:05:06.5Z",
        ),
        (
            "github/deployment_status_success.json",
            "github",
            "deployment_status/77",
            "https://api.github.com/repos/contoso/shop/deployments/42",
            "com.github.deployment_status.success",
            "https://api.github.com/repos/contoso/shop/deployments/42/statuses/77",
            "2026-02-03T04:05:07Z",
        ),
        (
            "azure-devops/release_rejected.json",
            "azure-devops",
            "0b1f8f0e-0000-4000-8000-000000000007",
            "/azure-devops/organizations/a-1/projects/p-1",
            "ms.vss-release.deployment-completed-event",
            "Release-12",
            "2026-02-03T04:05:06.123Z",
        ),
        (
            "acr/push.json",
            "acr",
            "cb8c3971-9adc-488b-bdd8-43cbb4974ff5",
            "https://contoso.azurecr.io",
            "Microsoft.ContainerRegistry.ImagePushed",
            "shop/web:v2",
            "2026-02-03T04:05:06.52Z",
        ),
    ],
)
def test_a_body_becomes_a_cloud_event(
    name: str, kind: str, event_id: str, source: str, event_type: str, subject: str, time: str
) -> None:
    """Each row of the table in docs/events.md is true, and the whole body is the data."""
    document = load(name)
    event = read(document, kind)
    assert (event.id, event.source, event.type) == (event_id, source, event_type)
    assert (event.subject, event.time) == (subject, time)
    assert event.data == document
    assert event.schema == kind


@pytest.mark.parametrize(
    "name", ["kudu/success_in_slot.json", "azure-devops/release_rejected.json", "acr/push.json"]
)
def test_a_redelivery_has_the_same_identity(name: str) -> None:
    """The order and spacing of a body's members, and other headers, do not change its identity."""
    kind = name.partition("/")[0]
    document = load(name)
    again = dict(reversed(document.items()))
    first, second = read(document, kind), read(again, kind, X_Request_Id="2")
    assert (first.id, first.source) == (second.id, second.source)


def test_a_github_body_without_an_own_identity_gets_its_fingerprint() -> None:
    """The same content has the same id in any order of members; other content has another."""
    push: JsonObject = {
        "ref": "refs/heads/main",
        "before": "0" * 40,
        "after": "c" * 40,
        "repository": {"name": "shop", "url": "https://api.github.com/repos/contoso/shop"},
        "head_commit": {"timestamp": "2026-02-03T04:05:06+01:00"},
    }
    first = read(push, "github", X_GitHub_Event="push", X_GitHub_Delivery="1")
    again = read(dict(reversed(push.items())), "github", x_github_event="push", X_GitHub_Delivery="2")
    other = read({**push, "ref": "refs/heads/next"}, "github", X_GITHUB_EVENT="push")
    assert first.id == again.id != other.id
    assert re.fullmatch("push/[0-9a-f]{32}", first.id)
    assert (first.type, first.time) == ("com.github.push", "2026-02-03T04:05:06+01:00")


def test_a_workflow_run_is_told_by_run_attempt_and_action() -> None:
    """A re-run of a workflow is another event; a redelivery is the same."""
    body: JsonObject = {
        "action": "completed",
        "workflow_run": {"id": 9, "run_attempt": 2, "updated_at": "2026-02-03T04:05:06Z"},
        "repository": {"url": "https://api.github.com/repos/contoso/shop"},
    }
    event = read(body, "github")
    assert (event.id, event.type) == ("workflow_run/9/2/completed", "com.github.workflow_run.completed")
    assert event.subject == "9"
    without = read({**body, "workflow_run": {}}, "github")
    assert without.id.startswith("workflow_run/")


def test_the_github_header_tells_nothing() -> None:
    """The body decides the event; a header with another name becomes a note."""
    repository: JsonObject = {"repository": {"url": "https://api.github.com/repos/contoso/shop"}}
    assert read({**repository, "zen": "…", "hook": {}}, "github").type == "com.github.ping"
    event = read({**repository, "issue": {}}, "github", X_GitHub_Event="pull_request")
    assert event.type == "com.github.issues"
    says = "X-GitHub-Event says pull_request, and its body lacks number, pull_request"
    assert event.notes == (f"{says}: by its body the event is issues",)
    assert "repository.url" in refusal({"deployment_status": {"id": 1}, "deployment": {}}, "github")
    organization: JsonObject = {"organization": {"url": "https://api.github.com/orgs/contoso"}}
    event = read(organization, "github", X_GitHub_Event="membership")
    assert (event.type, event.source) == ("com.github.other", "https://api.github.com/orgs/contoso")


@pytest.mark.parametrize(
    ("change", "event_id", "subject"),
    [
        ({"status": None}, "9fceb02/pending/2026-02-03T04:05:06.5Z", "/slots/blue-green"),
        ({"endTime": None}, "9fceb02/success/2026-02-03T04:05:00.5Z", "/slots/blue-green"),
        ({"endTime": None, "startTime": None}, "9fceb02/success", "/slots/blue-green"),
        ({"hostName": "shop.scm.azurewebsites.net"}, "9fceb02/success/2026-02-03T04:05:06.5Z", "sites/shop"),
        ({"siteName": "shop__a1b2"}, "9fceb02/success/2026-02-03T04:05:06.5Z", "/slots/blue-green"),
    ],
)
def test_kudu_leaves_out_what_has_its_default(change: JsonObject, event_id: str, subject: str) -> None:
    """A missing status is `pending`, and a missing time is replaced by an earlier one."""
    document = {**load("kudu/success_in_slot.json"), "id": "9fceb02", **change}
    event = read({name: value for name, value in document.items() if value is not None}, "kudu")
    assert event.id == event_id
    assert event.subject is not None
    assert event.subject.endswith(subject)


def test_kudu_without_a_host_is_named_after_its_site() -> None:
    """A body without hostName is read, as older Kudus send it; one without a site is refused."""
    document = load("kudu/success_in_slot.json")
    del document["hostName"]
    assert read(document, "kudu").source == "https://shop.scm.azurewebsites.net"
    del document["siteName"]
    assert "siteName" in refusal(document, "kudu")


def test_an_azure_devops_body_has_a_source_whatever_it_tells() -> None:
    """The source has the organization and project if the body names them, otherwise the publisher."""
    document = load("azure-devops/release_rejected.json")
    document["resourceContainers"] = {"collection": {"id": "c-1"}, "project": {"id": "p-2"}}
    assert read(document, "azure-devops").source == "/azure-devops/organizations/c-1/projects/p-2"
    del document["resourceContainers"]
    document["resource"] = {}
    event = read(document, "azure-devops")
    assert (event.source, event.subject) == ("/azure-devops/publishers/rm", None)
    del document["publisherId"]
    assert "publisherId" in refusal(document, "azure-devops")


@pytest.mark.parametrize(
    ("action", "event_type"),
    [
        ("delete", "Microsoft.ContainerRegistry.ImageDeleted"),
        ("chart_push", "Microsoft.ContainerRegistry.ChartPushed"),
        ("chart_delete", "Microsoft.ContainerRegistry.ChartDeleted"),
        ("quarantine", "Microsoft.ContainerRegistry.Webhook.quarantine"),
    ],
)
def test_a_registry_webhook_has_event_grids_type(action: str, event_type: str) -> None:
    """One rule matches the registry's webhook and its Event Grid events."""
    assert read({**load("acr/push.json"), "action": action}, "acr").type == event_type


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("acr/push.json", "kudu", "acr"),
        ("kudu/success_in_slot.json", "github", "kudu"),
        ("azure-devops/release_rejected.json", "acr", "azure-devops"),
        ("github/deployment_status_success.json", "azure-devops", "github"),
    ],
)
def test_the_wrong_kind_is_named_in_the_error(name: str, wrong: str, right: str) -> None:
    """A body of another kind is refused, and the error names the kind."""
    assert f"kind {right}" in refusal(load(name), wrong)
    (bare,) = read_events((SAMPLES / name).read_bytes())
    assert isinstance(bare, Unreadable)
    assert f"kind {right}" in bare.error


def test_a_batch_of_bodies_is_read_one_by_one() -> None:
    """An array of bodies gives one event for each."""
    events = read_events(
        json.dumps([load("kudu/success_in_slot.json"), {}, load("kudu/success_in_slot.json")]), kind="kudu"
    )
    assert [type(event) for event in events] == [Event, Unreadable, Event]


@pytest.mark.parametrize(
    ("host", "label"),
    [
        ("shop.azurewebsites.net", "shop"),
        ("Shop-Staging.scm.azurewebsites.net", "Shop-Staging"),
        ("shop-e5f0a1b2c3d4e5f6.westeurope-01.azurewebsites.net", "shop"),
        ("shop-staging-e5f0a1b2c3d4e5f6.scm.westeurope-01.azurewebsites.net", "shop-staging"),
        ("shop.chinacloudsites.cn", "shop"),
        ("shop.azurewebsites.us", "shop"),
        ("shop.scm.azurewebsites.us", "shop"),
        ("shop.azurewebsites.eaglex.ic.gov", "shop"),
        ("shop.kitchen.p.azurewebsites.net", "shop"),
        ("shop-staging.scm.kitchen.p.azurewebsites.net", "shop-staging"),
        ("shop-e5f0a1b2c3d4e5f6.kitchen.p.azurewebsites.net", "shop-e5f0a1b2c3d4e5f6"),
        ("shop.kitchen.p.azurewebsites.us", "shop"),
        ("SHOP.kitchen.appserviceenvironment.net", "SHOP"),
        ("shop-staging.scm.kitchen.appserviceenvironment.net", "shop-staging"),
        ("shop.kitchen.appserviceenvironment.us", "shop"),
        ("shop-staging.scm.apps.contoso.example", "shop-staging"),
        ("shop.azurewebsites.net:443", "shop"),
        ("shop.azurewebsites.net.", "shop"),
        ("shop.example.com", None),
        ("scm.example.com", None),
        ("www.shop.example.com", None),
        ("azurewebsites.net", None),
        ("", None),
    ],
)
def test_app_and_slot_stand_in_the_hosts_first_label(host: str, label: str | None) -> None:
    """App Service's hosts name app and slot, with or without a region and its random part."""
    assert app_service_label(host) == label


def test_a_slot_is_what_follows_the_apps_name() -> None:
    """A label is split by the app's name, because both parts may hold hyphens."""
    assert slot_in_label("my-shop-blue-green", "My-Shop") == "blue-green"
    assert slot_in_label("my-shop", "my-shop") == "production"
    assert slot_in_label("my-shopping", "my-shop") is None


@pytest.mark.parametrize(
    ("sample", "event_type", "source"),
    [
        ("acr/ping.json", "Microsoft.ContainerRegistry.Webhook.ping", "https://azurecr.io"),
        (
            "acr/ping_with_empty_request.json",
            "Microsoft.ContainerRegistry.Webhook.ping",
            "https://azurecr.io",
        ),
        ("acr/ping_without_id.json", "Microsoft.ContainerRegistry.Webhook.ping", "https://azurecr.io"),
        ("github/ping.json", "com.github.ping", "https://api.github.com/repos/tidepool-bakery/oven"),
        ("github/ping_of_an_app.json", "com.github.ping", "https://api.github.com"),
        (
            "github/app_authorization_revoked.http",
            "com.github.github_app_authorization.revoked",
            "https://api.github.com/users/baker-anna",
        ),
        (
            "github/installation_created.http",
            "com.github.installation.created",
            "https://api.github.com/users/tidepool-bakery",
        ),
    ],
)
def test_a_body_about_no_repository_or_image_is_an_event(sample: str, event_type: str, source: str) -> None:
    """Pings and events about a whole account are read, so that rules can decide about them."""
    (event,) = read_sample(sample)
    assert isinstance(event, Event), event
    assert (event.type, event.source) == (event_type, source)
    assert event.id


def test_a_ping_about_nothing_is_about_its_hook() -> None:
    """An app's ping has no repository: the hook's address is its source, or else GitHub's."""
    ping: JsonObject = {"zen": "z", "hook": {"url": "https://api.github.com/app/hook"}}
    assert read(ping, "github").source == "https://api.github.com/app/hook"
    assert read({**ping, "hook": {}}, "github").source == "https://api.github.com"


@pytest.mark.parametrize("request_", [None, {}, {"host": ""}, {"host": None}, "none"])
@pytest.mark.parametrize("event_id", ["1", None, ""])
def test_a_ping_of_a_registry_needs_nothing_but_its_action(request_: Json, event_id: Json) -> None:
    """A ping with missing members is an event; a push with missing members is an error."""
    body: JsonObject = {"id": event_id, "action": "ping", "request": request_}
    assert read(body, "acr").type == "Microsoft.ContainerRegistry.Webhook.ping"
    assert "request.host is " in refusal({**body, "id": "1", "action": "push"}, "acr")


@pytest.mark.parametrize("time", [1777960800, "soon", "2026-11-25T09:00:00", "2026-02-30T00:00:00Z"])
def test_a_hook_with_an_odd_time_loses_its_time_alone(time: Json) -> None:
    """An event with seconds since 1970, as GitHub writes in some events, is read without a time."""
    acr = read({**load("acr/push.json"), "timestamp": time}, "acr")
    devops = read({**load("azure-devops/release_rejected.json"), "createdDate": time}, "azure-devops")
    kudu = read({**load("kudu/success_in_slot.json"), "endTime": time}, "kudu")
    for event in (acr, devops, kudu):
        assert event.time is None
        assert event.notes[0].startswith("time is left out")


def test_github_writes_times_with_utc_at_the_end() -> None:
    """A time with `UTC` at its end is read, as in events of packages."""
    body: JsonObject = {
        "registry_package": {"id": 1, "updated_at": "2026-11-25 09:00:00 UTC"},
        "sender": {"url": "https://api.github.com/users/anna"},
    }
    assert read(body, "github").time == "2026-11-25T09:00:00Z"


def test_what_kudus_api_says_is_the_event_of_its_webhook() -> None:
    """A body of /api/deployments, which scripts forward, has the identity of the webhook's event."""
    (event,) = read_sample("kudu/deployments_latest.json")
    (hook,) = read_events(
        json.dumps(
            {
                "id": "9fceb02d0ae598e95dc970b74767f19372d61af8",
                "status": "success",
                "endTime": "2026-05-07T06:03:06.5Z",
                "siteName": "oven",
                "hostName": "oven-rising.scm.azurewebsites.net",
            }
        ),
        kind="kudu",
    )
    assert isinstance(event, Event)
    assert isinstance(hook, Event)
    assert (event.id, event.source, event.type) == (hook.id, hook.source, hook.type)
    assert (event.subject, event.time) == (hook.subject, hook.time)


@pytest.mark.parametrize(
    ("status", "word"), [(0, "pending"), (3, "failed"), (4, "success"), (6, "partialsuccess"), (99, "99")]
)
def test_kudus_numbers_are_its_words(status: int, word: str) -> None:
    """The numbers of Kudu's DeployStatus in /api/deployments are read."""
    event = read({**load("kudu/success_in_slot.json"), "status": status}, "kudu")
    assert event.id.split("/")[1] == word


NAMES = st.from_regex(r"[a-z0-9]{1,12}(-[a-z0-9]{1,8})?", fullmatch=True)
HOSTS = [
    "{}.azurewebsites.net",
    "{}.scm.azurewebsites.us",
    "{}.chinacloudsites.cn",
    "{}-e5f0a1b2c3d4e5f6.westeurope-01.azurewebsites.net",
    "{}-e5f0a1b2c3d4e5f6.scm.westeurope-01.azurewebsites.net",
    "{}.kitchen.p.azurewebsites.net",
    "{}.scm.kitchen.p.azurewebsites.us",
    "{}.kitchen.appserviceenvironment.net",
    "{}.scm.kitchen.appserviceenvironment.net",
    "{}.scm.apps.contoso.example",
]


@given(NAMES, NAMES | st.none(), st.sampled_from(HOSTS), st.booleans())
def test_every_host_of_app_service_says_app_and_slot(
    site: str,
    slot: str | None,
    host: str,
    upper: bool,  # noqa: FBT001 - drawn
) -> None:
    """In every plan, cloud and letter case, the slot follows the app's name."""
    name = host.format(site if slot is None else f"{site}-{slot}")
    body: JsonObject = {"siteName": site, "hostName": name.upper() if upper else name}
    found_site, found_slot = kudu_site_and_slot(body)
    assert found_site == site
    assert found_slot is not None
    assert found_slot.lower() == (slot or "production")
