"""Finds the name of a GitHub event from the members of its body.

GitHub names the event in a header, and signs only the body. So the name comes from the body: each row of the
table has the members of one event's body, and no body matches the rows of two events. A body that matches no
row is `other`. A header never decides.

A row does not match a body with a member that identifies another row, unless the row allows that member.
Rows without such a member are identified by the value of `action`, and match a body only if it has no other
member.

Source: https://docs.github.com/webhooks/webhook-events-and-payloads, and the JSON Schemas of
https://github.com/octokit/webhooks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from shared.values.json_text import JsonObject

OTHER: Final = "other"
"""The name of every event that matches no row."""

COMMON: Final = frozenset(
    {"action", "changes", "enterprise", "installation", "organization", "repository", "sender"}
)
"""Members that bodies of any event may have."""


@dataclass(frozen=True, slots=True)
class GitHubEvent:
    """One event, or one form of it.

    Attributes:
        name: The name in GitHub's header.
        has: Members that the body must have.
        may_have: Members that identify other events and are allowed here.
        actions: The possible values of `action`; None for any value, or no `action`.
        without: Members of `COMMON` that it must not have.
        closed: Whether it has only these members and the common ones.
    """

    name: str
    has: frozenset[str]
    may_have: frozenset[str] = frozenset()
    actions: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    closed: bool = False

    def fits(self, body: JsonObject) -> bool:
        """Return whether a body is one of this event."""
        names = body.keys()
        if not self.has <= names or not self.without.isdisjoint(names):
            return False
        action = body.get("action")
        if self.actions is not None and not (isinstance(action, str) and action in self.actions):
            return False
        others = names - self.has - self.may_have
        return others <= COMMON if self.closed else others.isdisjoint(TELLING)


def _row(
    name: str,
    has: str,
    may_have: str = "",
    *,
    actions: str | None = None,
    without: str = "",
    closed: bool = False,
) -> GitHubEvent:
    return GitHubEvent(
        name,
        frozenset(has.split()),
        frozenset(may_have.split()),
        None if actions is None else frozenset(actions.split()),
        frozenset(without.split()),
        closed,
    )


EVENTS: Final = (
    _row("ping", "zen hook", "hook_id", without="action"),
    _row("meta", "action hook hook_id"),
    _row("push", "ref before after", without="action"),
    _row("create", "ref ref_type master_branch", without="action"),
    _row("delete", "ref ref_type", without="action"),
    _row("deployment", "deployment", "workflow workflow_run", actions="created"),
    _row("deployment_status", "deployment deployment_status", "check_run workflow workflow_run"),
    _row(
        "deployment_protection_rule",
        "deployment_callback_url environment",
        "deployment event pull_requests",
        actions="requested",
    ),
    _row(
        "deployment_review",
        "since workflow_run",
        "approver comment environment requestor reviewers workflow_job_run workflow_job_runs",
    ),
    _row("workflow_run", "workflow_run", "workflow"),
    _row("workflow_job", "workflow_job", "deployment"),
    _row("workflow_dispatch", "workflow inputs ref", without="action"),
    _row("repository_dispatch", "client_payload branch"),
    _row("check_run", "check_run", "requested_action"),
    _row("check_suite", "check_suite"),
    _row("status", "sha state context commit", "branches", without="action"),
    _row("page_build", "build", without="action"),
    _row("registry_package", "registry_package"),
    _row("package", "package"),
    _row("release", "release"),
    _row("merge_group", "merge_group"),
    _row("pull_request", "pull_request number", "after assignee before label milestone"),
    _row("pull_request_review", "pull_request review"),
    _row("pull_request_review_comment", "pull_request comment"),
    _row("pull_request_review_thread", "pull_request thread"),
    _row("issues", "issue", "assignee label milestone"),
    _row("issue_comment", "issue comment"),
    _row("commit_comment", "comment", actions="created"),
    _row("discussion", "discussion", "answer label old_answer"),
    _row("discussion_comment", "discussion comment"),
    _row("label", "label"),
    _row("milestone", "milestone"),
    _row("fork", "forkee", without="action"),
    _row("gollum", "pages", without="action"),
    _row("star", "starred_at"),
    _row("code_scanning_alert", "alert commit_oid ref"),
    _row("branch_protection_rule", "rule"),
    _row("deploy_key", "key"),
    _row("member", "member"),
    _row("membership", "member team scope"),
    _row("team", "team action"),
    _row("team_add", "team", without="action"),
    _row("org_block", "blocked_user"),
    _row(
        "installation_repositories",
        "repositories_added repositories_removed",
        "repository_selection requester",
    ),
    _row("installation_target", "account target_type", actions="renamed"),
    _row("organization", "organization membership", actions="deleted member_added member_removed"),
    _row("organization", "organization invitation", "user", actions="member_invited"),
    _row("organization", "organization", actions="renamed", without="repository", closed=True),
    _row(
        "installation",
        "installation",
        "repositories requester",
        actions="created deleted new_permissions_accepted suspend unsuspend",
        without="repository",
        closed=True,
    ),
    _row(
        "repository",
        "repository",
        actions="archived created deleted edited privatized publicized renamed transferred unarchived",
        closed=True,
    ),
    _row("watch", "repository", actions="started", closed=True),
    _row("public", "repository", without="action", closed=True),
    _row("branch_protection_configuration", "repository", actions="disabled enabled", closed=True),
    _row("github_app_authorization", "sender", actions="revoked", without="repository", closed=True),
)
"""The known events. Every other type is `com.github.other`."""

_MORE: Final = frozenset(
    {
        "approver",
        "reviewers",
        "requestor",
        "workflow_job_run",
        "workflow_job_runs",
        "deployment_callback_url",
        "pull_requests",
        "alert",
        "location",
        "secret_scanning_alert",
        "dependabot_alert",
        "check_runs",
        "project",
        "project_card",
        "project_column",
        "projects_v2",
        "projects_v2_item",
        "projects_v2_status_update",
        "sponsorship",
        "marketplace_purchase",
        "security_advisory",
        "repository_advisory",
        "repository_ruleset",
        "rule_suite",
        "personal_access_token_request",
        "definition",
        "new_property_values",
        "sub_issue",
        "parent_issue",
        "blocking_issue",
        "blocked_issue",
        "exemption_request",
        "exemption_response",
        "custom_property",
    }
)
"""Members of events that have no row: a row that does not list such a member does not match."""

TELLING: Final = (frozenset().union(*(row.has for row in EVENTS)) - COMMON) | _MORE
"""The members that identify events."""


def event_of(body: JsonObject) -> str:
    """Return the name of a body's event; `other` if no row matches.

    Args:
        body: The body, as it was signed.
    """
    found = next((row for row in EVENTS if row.fits(body)), None)
    return OTHER if found is None else found.name


def doubt(body: JsonObject, named: str) -> str | None:
    """Return a note on how a header differs from its body; None if they agree.

    Args:
        body: The body.
        named: The event's name in the header.
    """
    found = event_of(body)
    if not named or named == found:
        return None
    rows = [row for row in EVENTS if row.name == named]
    if not rows:
        return f"X-GitHub-Event is not an event that this app knows: the type is {found}"
    return f"X-GitHub-Event says {named}, and {_why_not(rows, body)}: by its body the event is {found}"


def _why_not(rows: Iterable[GitHubEvent], body: Mapping[str, object]) -> str:
    """Return why a body does not match the rows of an event."""
    names = body.keys()
    for row in rows:
        if missing := sorted(row.has - names):
            return f"its body lacks {', '.join(missing)}"
        if extra := sorted(((names & TELLING) - row.has - row.may_have) | (names & row.without)):
            return f"its body has {', '.join(extra)}"
    return "its body does not match that event"
