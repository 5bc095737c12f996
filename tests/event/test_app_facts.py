"""The facts about apps in events of each form."""

import json
from dataclasses import astuple
from typing import Final

import pytest

from shared.event import Event, read_events
from shared.event.app_facts import AppFacts, app_facts
from shared.rules.filters import Fields, compile_filter
from shared.values.json_text import Json, JsonObject
from tests.support.paths import SAMPLES
from tests.support.samples import read_sample

SITE: Final = "/subscriptions/5f0e/resourceGroups/shop/providers/Microsoft.Web/sites/shop"


def made(event_type: str, data: Json = None, source: str = SITE, subject: str | None = None) -> Event:
    """Return an event with the attributes that these tests need."""
    return Event(id="1", source=source, type=event_type, data=data, subject=subject)


def facts(event_type: str, data: Json = None, source: str = SITE, subject: str | None = None) -> AppFacts:
    """Return the facts of an event that is about an app."""
    found = app_facts(made(event_type, data, source, subject))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        (
            "appservice/exact_numbers.eventgrid.json",
            None,
            (
                "shop",
                "production",
                "Completed",
                SITE,
                "c0ffee00-0000-4000-8000-000000000001",
                True,
            ),
        ),
        (
            "custom/deployment_succeeded.cloudevents.json",
            None,
            ("shop", "staging", "Completed", f"{SITE}/slots/staging", None, True),
        ),
        (
            "kudu/success_in_slot.json",
            "kudu",
            ("shop", "blue-green", "Completed", None, "9fceb02d0ae598e95dc970b74767f19372d61af8", True),
        ),
        (
            "github/deployment_status_success.json",
            "github",
            ("shop", "staging", "Completed", None, "42", True),
        ),
        (
            "azure-devops/release_rejected.json",
            "azure-devops",
            ("shop-release", "Production", "Failed", None, "12", False),
        ),
        (
            "acr/push.json",
            "acr",
            (
                "shop/web",
                "v2",
                "ImagePushed",
                None,
                "sha256:cafe0042cafe0042cafe0042cafe0042cafe0042cafe0042cafe0042cafe0042",
                None,
            ),
        ),
    ],
)
def test_each_kind_of_event_tells_of_its_app(
    name: str, kind: str | None, expected: tuple[object, ...]
) -> None:
    """Each row of the table in docs/events.md is true."""
    (event,) = read_events((SAMPLES / name).read_bytes(), kind=kind)
    assert isinstance(event, Event)
    found = app_facts(event)
    assert found is not None
    assert astuple(found) == expected


@pytest.mark.parametrize("name", ["name", "siteName"])
def test_both_names_of_the_site_are_read(name: str) -> None:
    """Both of the documented names, `name` and `siteName`, are read."""
    assert facts("Microsoft.Web.AppUpdated", {name: "other"}).site == "other"


@pytest.mark.parametrize("nothing", [None, "", "None"])
def test_app_service_says_nothing_in_three_ways(nothing: Json) -> None:
    """Null, empty and the string "None" count as missing."""
    found = facts("Microsoft.Web.SlotSwapStarted", {"correlationRequestId": nothing, "targetSlot": nothing})
    assert (found.site, found.slot, found.deployment_id) == ("shop", "production", None)


@pytest.mark.parametrize(
    ("event_type", "detail", "action", "succeeded"),
    [
        ("Microsoft.Web.SlotSwapStarted", None, "Started", None),
        ("Microsoft.Web.SlotSwapCompleted", None, "Completed", True),
        ("Microsoft.Web.SlotSwapFailed", None, "Failed", False),
        ("Microsoft.Web.SlotSwapWithPreviewCancelled", None, "Cancelled", False),
        ("Microsoft.Web.BackupOperationCompleted", {"action": "Started"}, "Completed", True),
        ("Microsoft.Web.AppUpdated", {"action": "Restarted"}, "Restarted", None),
        ("Microsoft.Web.AppUpdated", None, None, None),
        ("Microsoft.Web/sites.AppUpdated.Stopped", None, "Stopped", None),
        ("microsoft.web.slotswapcompleted", "odd", "Completed", True),
    ],
)
def test_the_action_is_in_the_type_or_in_the_detail(
    event_type: str, detail: Json, action: str | None, succeeded: Json
) -> None:
    """The type has the state of an operation; for an updated app, the detail has the action."""
    found = facts(event_type, {"appEventTypeDetail": detail})
    assert (found.action, found.succeeded) == (action, succeeded)


@pytest.mark.parametrize(
    ("source", "subject", "data", "site", "slot", "resource_id"),
    [
        (f"{SITE}/slots/blue", None, None, "shop", "blue", f"{SITE}/slots/blue"),
        (SITE.upper(), None, None, "SHOP", "production", SITE.upper()),
        ("record", "/Microsoft.Web/sites/shop/slots/blue", None, "shop", "blue", None),
        (SITE, None, {"name": "shop(blue)"}, "shop", "blue", SITE),
        ("elsewhere", None, {"name": "shop"}, "shop", "production", None),
    ],
)
def test_app_and_slot_are_found_wherever_they_stand(
    source: str, subject: str | None, data: Json, site: str, slot: str, resource_id: str | None
) -> None:
    """An ARM id without a slot means the production slot; App Service writes shop(blue) internally."""
    found = facts("Microsoft.Web.AppUpdated", data, source, subject)
    assert (found.site, found.slot, found.resource_id) == (site, slot, resource_id)


@pytest.mark.parametrize(
    ("rest", "slot", "resource_id", "deployment_id"),
    [
        ("", "production", SITE, "c-1"),
        ("/extensions/onedeploy", "production", SITE, "c-1"),
        ("/slots/blue/extensions/onedeploy", "blue", f"{SITE}/slots/blue", "c-1"),
        ("/slots/blue/deployments/d-9", "blue", f"{SITE}/slots/blue", "d-9"),
    ],
)
def test_an_arm_event_tells_of_the_site_in_its_resource(
    rest: str, slot: str, resource_id: str, deployment_id: str
) -> None:
    """The ARM id is cut to the app or slot, and the action is ARM's name of the operation."""
    data: Json = {
        "resourceUri": SITE + rest,
        "operationName": "Microsoft.Web/sites/extensions/write",
        "correlationId": "c-1",
    }
    found = facts("Microsoft.Resources.ResourceWriteSuccess", data, "/subscriptions/5f0e")
    assert astuple(found) == (
        "shop",
        slot,
        "Microsoft.Web/sites/extensions/write",
        resource_id,
        deployment_id,
        True,
    )


def test_an_arm_event_may_name_the_site_in_its_subject_alone() -> None:
    """The subject is the resource's id as well."""
    found = facts("Microsoft.Resources.ResourceActionFailure", {"authorization": {"action": "a"}}, "/s", SITE)
    assert (found.site, found.action, found.succeeded) == ("shop", "a", False)


@pytest.mark.parametrize(
    ("event_type", "source", "data"),
    [
        ("Microsoft.Resources.ResourceWriteSuccess", "/subscriptions/5f0e", {"resourceUri": "/x"}),
        ("Microsoft.Web.AppServicePlanUpdated", SITE.replace("/sites/", "/serverFarms/"), {"name": "plan"}),
        ("Microsoft.Storage.BlobCreated", "/subscriptions/5f0e", {"url": "https://x"}),
        ("Microsoft.ContainerRegistry.ImagePushed", "/s", None),
        ("Microsoft.Web.AppUpdated", "elsewhere", "text"),
        ("com.github.push", "/s", None),
        ("git.push", "/s", None),
    ],
)
def test_an_event_about_no_app_has_no_facts(event_type: str, source: str, data: Json) -> None:
    """Rules can ask whether an event is about an app at all."""
    assert app_facts(made(event_type, data, source)) is None


@pytest.mark.parametrize(
    ("status", "action", "succeeded"),
    [
        ("success", "Completed", True),
        ("failed", "Failed", False),
        ("building", "Started", None),
        (None, "Started", None),
    ],
)
def test_kudus_status_says_how_the_deployment_ended(status: Json, action: str, succeeded: Json) -> None:
    """`complete` is true for failures too, so it is not used."""
    found = facts(
        "Microsoft.Web.Kudu.PostDeployment", {"siteName": "shop", "status": status, "complete": True}
    )
    assert (found.action, found.succeeded) == (action, succeeded)


@pytest.mark.parametrize(
    ("url", "site", "slot"),
    [
        ("https://shop-blue.azurewebsites.net", "shop", "blue"),
        ("https://shop.azurewebsites.net/x", "shop", "production"),
        ("https://other-app.azurewebsites.net", "other-app", "test"),
        ("https://shop.example.com", "shop", "test"),
        ("https://[", "shop", "test"),
        ("", "shop", "test"),
    ],
)
def test_github_tells_the_app_by_the_environments_url(url: str, site: str, slot: str) -> None:
    """An App Service address names the app; otherwise the repository and the environment do."""
    data: Json = {
        "deployment_status": {"state": "inactive", "environment": "test", "environment_url": url},
        "repository": {"name": "shop"},
    }
    found = facts("com.github.deployment_status.inactive", data)
    assert (found.site, found.slot, found.action, found.succeeded) == (site, slot, "Inactive", None)


def test_an_azure_devops_stage_tells_of_its_pipeline() -> None:
    """For a pipeline's stage, the pipeline is the app and the stage is the slot."""
    resource: Json = {
        "stage": {"name": "Deploy", "result": "canceled"},
        "run": {"id": 5},
        "pipeline": {"name": "shop-ci"},
    }
    found = facts("ms.vss-pipelines.stage-state-changed-event", {"resource": resource})
    assert astuple(found) == ("shop-ci", "Deploy", "Cancelled", None, "5", False)


def test_facts_do_not_depend_on_how_an_event_arrived() -> None:
    """A parked event comes back as a CloudEvent with the same facts."""
    (event,) = read_events((SAMPLES / "kudu/success_in_slot.json").read_bytes(), kind="kudu")
    assert isinstance(event, Event)
    (again,) = read_events(json.dumps(event.to_cloud_event()))
    assert isinstance(again, Event)
    assert again.schema != event.schema
    assert app_facts(again) == app_facts(event)


@pytest.mark.parametrize(
    ("sample", "site", "slot", "action"),
    [
        ("kudu/success_in_an_environment.json", "oven", "rising", "Completed"),
        ("kudu/success_in_a_private_environment.json", "oven", "production", "Completed"),
        ("kudu/success_behind_a_custom_domain.json", "oven", None, "Completed"),
        ("kudu/deployments_latest.json", "oven", "rising", "Completed"),
        ("github/deployment_status_of_an_environment.json", "oven", "rising", "Completed"),
    ],
)
def test_a_host_says_app_and_slot_or_nothing(sample: str, site: str, slot: str | None, action: str) -> None:
    """Hosts of App Service Environments have both; behind a custom domain the slot is unknown."""
    (event,) = read_sample(sample)
    assert isinstance(event, Event)
    found = app_facts(event)
    assert found is not None
    assert (found.site, found.slot, found.action) == (site, slot, action)


def test_a_rule_can_see_that_the_slot_is_not_known() -> None:
    """An unknown slot is missing: the null test matches it, and comparisons with a name do not."""
    (event,) = read_sample("kudu/success_behind_a_custom_domain.json")
    assert isinstance(event, Event)
    fields = Fields(event)
    assert compile_filter({"operatorType": "IsNullOrUndefined", "key": "app.slot"}).holds(fields)
    named: JsonObject = {"operatorType": "StringIn", "key": "app.slot", "values": ["production"]}
    assert compile_filter(named).failure(fields) == "app.slot StringIn [production]: app.slot is missing"


@pytest.mark.parametrize("status", [None, 4, True, {}, [], "success", 10**400])
def test_facts_are_told_whatever_a_kudu_status_is(status: Json) -> None:
    """An event of Kudu's type may come from any sender, with any data."""
    event = Event(id="1", source="/s", type="Microsoft.Web.Kudu.PostDeployment", data={"status": status})
    found = app_facts(event)
    assert found is not None
    assert found.action in {"Started", "Completed"}
