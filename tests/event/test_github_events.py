"""The name of a GitHub event: the table against the documented members, and its rows against each other."""

from typing import Final

import pytest

from shared.event.github_events import COMMON, EVENTS, OTHER, TELLING, doubt, event_of
from shared.values.json_text import Json, JsonObject

BASE: Final = "repository sender"
DOCUMENTED: Final = {
    "ping": f"zen hook hook_id {BASE}",
    "meta": f"action hook hook_id {BASE}",
    "push": f"ref before after base_ref created deleted forced commits compare head_commit pusher {BASE}",
    "create": f"ref ref_type master_branch description pusher_type {BASE}",
    "delete": f"ref ref_type pusher_type {BASE}",
    "deployment": f"action=created deployment workflow workflow_run {BASE}",
    "deployment_status": "action=created deployment deployment_status check_run workflow workflow_run "
    f"organization {BASE}",
    "deployment_protection_rule": "action=requested environment event deployment_callback_url deployment "
    f"pull_requests installation {BASE}",
    "deployment_review": "action=approved approver comment reviewers since workflow_job_runs workflow_run "
    f"organization {BASE}",
    "workflow_run": f"action=requested workflow workflow_run organization {BASE}",
    "workflow_job": f"action=completed workflow_job deployment {BASE}",
    "workflow_dispatch": f"inputs ref workflow {BASE}",
    "repository_dispatch": f"action=anything branch client_payload installation {BASE}",
    "check_run": f"action=completed check_run installation {BASE}",
    "check_suite": f"action=completed check_suite {BASE}",
    "status": "id sha name avatar_url target_url context description state commit branches created_at "
    f"updated_at {BASE}",
    "page_build": f"id build {BASE}",
    "registry_package": f"action=published registry_package organization {BASE}",
    "package": f"action=published package {BASE}",
    "release": f"action=edited release changes {BASE}",
    "merge_group": f"action=destroyed reason merge_group {BASE}",
    "pull_request": f"action=synchronize number pull_request before after {BASE}",
    "pull_request_review": f"action=submitted review pull_request {BASE}",
    "pull_request_review_comment": f"action=created comment pull_request {BASE}",
    "pull_request_review_thread": f"action=resolved thread pull_request {BASE}",
    "issues": f"action=labeled issue label {BASE}",
    "issue_comment": f"action=created issue comment {BASE}",
    "commit_comment": f"action=created comment {BASE}",
    "discussion": f"action=answered discussion answer {BASE}",
    "discussion_comment": f"action=created discussion comment {BASE}",
    "label": f"action=created label {BASE}",
    "milestone": f"action=closed milestone {BASE}",
    "fork": f"forkee {BASE}",
    "gollum": f"pages {BASE}",
    "star": f"action=created starred_at {BASE}",
    "code_scanning_alert": f"action=created alert ref commit_oid {BASE}",
    "branch_protection_rule": f"action=edited rule changes {BASE}",
    "deploy_key": f"action=created key {BASE}",
    "member": f"action=added member changes {BASE}",
    "membership": "action=added scope member team organization sender",
    "team": f"action=added_to_repository team organization {BASE}",
    "team_add": f"team organization {BASE}",
    "org_block": "action=blocked blocked_user organization sender",
    "installation": "action=created installation repositories requester sender",
    "installation_repositories": "action=added installation repository_selection repositories_added "
    "repositories_removed requester sender",
    "installation_target": "action=renamed account changes target_type installation sender",
    "organization": "action=member_added membership organization sender",
    "repository": f"action=renamed changes organization installation {BASE}",
    "watch": f"action=started {BASE}",
    "public": f"organization {BASE}",
    "branch_protection_configuration": f"action=disabled {BASE}",
    "github_app_authorization": "action=revoked sender",
}
"""The members of one body of each event (https://docs.github.com/webhooks/webhook-events-and-payloads)."""

WITHOUT_A_ROW: Final = {
    "dependabot_alert": f"action=created alert {BASE}",
    "secret_scanning_alert": f"action=created alert {BASE}",
    "secret_scanning_alert_location": f"action=created alert location {BASE}",
    "security_advisory": "action=published security_advisory",
    "sponsorship": "action=created sponsorship sender",
    "projects_v2_item": "action=edited projects_v2_item changes organization sender",
    "marketplace_purchase": "action=purchased effective_date marketplace_purchase sender",
    "custom_property": "action=created definition organization",
    "repository_import": f"status {BASE}",
    "an event of next year": f"action=created something_new {BASE}",
}


def body_of(members: str) -> JsonObject:
    """Return a body with these members; `action=x` gives the action its value."""
    parts = [member.partition("=") for member in members.split()]
    return {name: value or {} for name, _, value in parts}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documented_body_is_its_event(name: str) -> None:
    """Each event is found by its body, also with the members that bodies of an app and an enterprise add."""
    body = body_of(DOCUMENTED[name])
    assert event_of(body) == name
    assert doubt(body, name) is None
    if name not in {"organization", "installation"}:
        assert event_of(body | {"installation": {}, "organization": {}, "enterprise": {}}) == name


@pytest.mark.parametrize("name", WITHOUT_A_ROW)
def test_a_body_without_a_row_is_other(name: str) -> None:
    """An event that the table does not have is `other`."""
    assert event_of(body_of(WITHOUT_A_ROW[name])) == OTHER


@pytest.mark.parametrize("action", [[], {}, ["created"], 1, True, None])
def test_an_action_that_is_not_text_is_no_known_action(action: Json) -> None:
    """An action of any other JSON type fits no event that needs an action, and raises nothing."""
    for name, members in DOCUMENTED.items():
        if "action=" in members and next(row for row in EVENTS if row.name == name).actions is not None:
            assert event_of({**body_of(members), "action": action}) != name


def test_the_table_is_tested_as_a_whole() -> None:
    """Every row has a documented body here."""
    assert {row.name for row in EVENTS} == set(DOCUMENTED)


def test_no_body_fits_two_events() -> None:
    """No smallest body matches two events, and a further member never makes a body match."""
    for one in EVENTS:
        for other in EVENTS:
            if one.name == other.name:
                continue
            for action in [*sorted({*(one.actions or ()), *(other.actions or ()), "anything"}), None]:
                body: JsonObject = dict.fromkeys([*one.has, *other.has])
                if action is None:
                    body.pop("action", None)
                else:
                    body["action"] = action
                assert not (one.fits(body) and other.fits(body)), (one.name, other.name, action)


def test_further_members_never_make_a_body_fit() -> None:
    """The smallest bodies above represent all."""
    for row in EVENTS:
        small: JsonObject = dict.fromkeys(row.has) | ({"action": min(row.actions)} if row.actions else {})
        if "action" in row.without:
            small.pop("action", None)
        assert row.fits(small), row.name
        for name in TELLING - row.has - row.may_have:
            assert not row.fits(small | {name: {}}), (row.name, name)


OF_OTHER_EVENTS: Final = (
    "approver reviewers requestor workflow_job_run workflow_job_runs deployment_callback_url "
    "pull_requests alert location secret_scanning_alert dependabot_alert check_runs project "
    "project_card project_column projects_v2 projects_v2_item projects_v2_status_update sponsorship "
    "marketplace_purchase security_advisory repository_advisory repository_ruleset rule_suite "
    "personal_access_token_request definition new_property_values sub_issue parent_issue "
    "blocking_issue blocked_issue exemption_request exemption_response custom_property"
)
"""Members of GitHub's documentation that identify an event, and that no row has as its own."""


@pytest.mark.parametrize("member", OF_OTHER_EVENTS.split())
def test_a_member_of_another_event_makes_a_body_other(member: str) -> None:
    """A body that fits a row, and has a member of another event, is neither of the two events."""
    assert event_of({**body_of(f"action=edited label {BASE}"), member: {}}) == OTHER


def test_an_event_that_is_told_by_little_has_nothing_more() -> None:
    """A row whose members are in most bodies fits none with a member that nobody knows; the other rows do."""
    few = {"organization", "installation", "repository", "watch", "public"}
    few |= {"branch_protection_configuration", "github_app_authorization"}
    for row in EVENTS:
        body: JsonObject = dict.fromkeys(row.has) | ({"action": min(row.actions)} if row.actions else {})
        assert row.fits(body)
        fits = row.fits({**body, "of_next_year": {}})
        assert fits == (row.name not in few or bool(row.has & {"membership", "invitation"})), row.name


def test_names_are_githubs_own() -> None:
    """Rows have GitHub's names of events: in lower case, and never `other`."""
    assert all(row.name.replace("_", "").isalpha() and row.name.islower() for row in EVENTS)
    assert OTHER not in {row.name for row in EVENTS}
    assert not TELLING & COMMON


@pytest.mark.parametrize(
    ("members", "named", "says"),
    [
        (DOCUMENTED["issues"], "push", "X-GitHub-Event says push, and its body lacks after, before, ref"),
        (f"{DOCUMENTED['push']} issue", "push", "and its body has issue"),
        (f"{DOCUMENTED['deployment']}", "deployment_review", "its body lacks since"),
        (f"action=deleted deployment {BASE}", "deployment", "its body does not match that event"),
        (DOCUMENTED["issues"], "dependabot_alert", "is not an event that this app knows"),
    ],
)
def test_a_header_that_says_something_else_is_explained(members: str, named: str, says: str) -> None:
    """The note lists missing and unexpected members, so that a new member of GitHub's can be found."""
    assert says in str(doubt(body_of(members), named))
