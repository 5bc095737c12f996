"""For every kind of hook and any body, the type and the source are the kind's."""

import json
import re
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.deciding.decide import decide
from shared.event import KINDS, Event, read_events
from shared.event.channels import SOURCES, TYPE_PREFIXES
from shared.event.via import HOOK_VIAS, VIAS, is_via
from shared.rules import load_rules
from shared.values.json_text import JsonObject

CHANNEL_RULES: Final = {
    "acr": ["Microsoft.ContainerRegistry.*"],
    "azure-devops": ["build.*", "git.*", "message.*", "ms.vss-*", "tfvc.*", "workitem.*"],
    "github": ["com.github.*"],
    "kudu": ["Microsoft.Web.Kudu.*"],
    "other": [
        "Microsoft.Storage.*",
        "Microsoft.Web.SlotSwapCompleted",
        "Microsoft.Web.AppUpdated",
        "Microsoft.Resources.*",
        "Shop.*",
        "Updraft.*",
    ],
}
"""One rule for the types of each channel."""

RULES: Final = load_rules(
    json.dumps(
        {
            "connections": {"a": {"url": "https://a.example", "auth": {"kind": "entra", "scope": "s"}}},
            "rules": [
                {"name": name, "when": {"types": types}, "start": {"dag": "d"}}
                for name, types in CHANNEL_RULES.items()
            ]
            + [
                {"name": f"via-{kind}", "when": {"via": f"hook/{kind}"}, "start": {"dag": "d"}}
                for kind in sorted(KINDS)
            ]
            + [
                {"name": "via-storage", "when": {"via": ["queue", "webhook"]}, "start": {"dag": "d"}},
                {"name": "arm", "when": {"sources": ["/subscriptions/"]}, "start": {"dag": "d"}},
            ],
        }
    ),
    file="rules.yaml",
    settings={},
)

TYPES: Final = st.sampled_from(
    [
        "build.complete",
        "BUILD.complete",
        "git.push",
        "ms.vss-release.deployment-completed-event",
        "Microsoft.Storage.BlobCreated",
        "com.github.push",
        "Microsoft.Web.Kudu.PostDeployment",
        "Microsoft.ContainerRegistry.ImagePushed",
        "push",
        "ping",
        "Shop.Opened",
    ]
) | st.text(max_size=20)
HOSTS: Final = st.sampled_from(
    ["contoso.azurecr.io", "shop.scm.azurewebsites.net", "api.github.com", "/subscriptions/0", "a/../b", ""]
) | st.text(max_size=20)
SCALARS: Final = st.none() | st.booleans() | st.integers() | TYPES | HOSTS
BODIES: Final = st.fixed_dictionaries(
    {},
    optional={
        "id": SCALARS,
        "eventType": TYPES,
        "publisherId": SCALARS,
        "type": TYPES,
        "source": HOSTS,
        "topic": HOSTS,
        "specversion": st.just("1.0"),
        "subject": SCALARS,
        "action": TYPES,
        "siteName": HOSTS,
        "hostName": HOSTS,
        "url": HOSTS,
        "status": SCALARS,
        "via": st.sampled_from(VIAS),
        "arrived": SCALARS,
        "endTime": SCALARS,
        "createdDate": SCALARS,
        "request": st.none() | st.fixed_dictionaries({}, optional={"host": HOSTS, "id": SCALARS}),
        "target": st.none() | st.fixed_dictionaries({}, optional={"repository": SCALARS, "tag": SCALARS}),
        "resourceContainers": st.fixed_dictionaries(
            {}, optional={name: st.fixed_dictionaries({"id": HOSTS}) for name in ("account", "project")}
        ),
        "resource": st.fixed_dictionaries({}, optional={"name": SCALARS}),
        "repository": st.fixed_dictionaries({}, optional={"url": HOSTS, "name": SCALARS}),
        "sender": st.fixed_dictionaries({}, optional={"url": HOSTS}),
        "deployment_status": st.fixed_dictionaries({}, optional={"state": TYPES, "id": SCALARS}),
        "deployment": st.fixed_dictionaries({}, optional={"url": HOSTS}),
        "zen": SCALARS,
        "hook": st.just({}),
        "issue": st.just({"id": 1}),
    },
)
HEADERS: Final = st.dictionaries(
    st.sampled_from(["X-GitHub-Event", "X-GitHub-Delivery", "ce-type", "ce-id", "via", "X-Via"]),
    TYPES | st.sampled_from(VIAS),
)


@given(st.sampled_from(sorted(KINDS)), BODIES, HEADERS)
def test_every_event_of_a_hook_is_of_its_kind(kind: str, body: JsonObject, headers: dict[str, str]) -> None:
    """Any readable body has its kind's type, source and channel, and starts no rule of another kind."""
    for event in read_events(json.dumps(body), kind=kind, headers=headers):
        if not isinstance(event, Event):
            continue
        assert event.type.lower().startswith(tuple(each.lower() for each in TYPE_PREFIXES[kind]))
        assert SOURCES[kind].fullmatch(event.source)
        assert event.via == HOOK_VIAS[kind]
        assert {decision.rule for decision in decide(event, RULES)} <= {kind, f"via-{kind}"}


@given(st.sampled_from(sorted(KINDS)), BODIES, HEADERS, HEADERS)
def test_no_header_changes_an_event(
    kind: str, body: JsonObject, headers: dict[str, str], others: dict[str, str]
) -> None:
    """One body is the same event with any headers, except for its notes."""
    assert read_events(json.dumps(body), kind=kind, headers=headers) == read_events(
        json.dumps(body), kind=kind, headers=others
    )


def test_every_kind_has_its_prefixes_sources_and_way() -> None:
    """The tables have the same kinds, and no two kinds share a type."""
    assert set(KINDS) == set(TYPE_PREFIXES) == set(SOURCES) == set(HOOK_VIAS)
    every = [(kind, prefix.lower()) for kind, prefixes in TYPE_PREFIXES.items() for prefix in prefixes]
    assert not [
        (one, other)
        for one, first in every
        for other, second in every
        if one != other and (first.startswith(second) or second.startswith(first))
    ]


@pytest.mark.parametrize("kind", ["acr", "azure-devops", "kudu"])
@pytest.mark.parametrize(
    "source",
    [
        "/subscriptions/0/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a",
        "https://api.github.com/repos/a/b",
        "https://orders.blob.core.windows.net/x",
        "/shops/1",
        "/callers/0/connections/a/dags/d",
        "updraft:windows",
    ],
)
def test_sources_of_other_channels_are_not_a_hooks(kind: str, source: str) -> None:
    """An ARM id, a repository, a blob, a shop, a caller or this app cannot be the source of a hook."""
    if (kind, source) != ("kudu", "https://api.github.com/repos/a/b"):
        assert not SOURCES[kind].fullmatch(source)


@given(st.recursive(st.none() | st.text(max_size=5) | st.integers(), lambda each: st.lists(each, max_size=2)))
def test_only_the_words_of_the_table_are_ways(value: Any) -> None:
    """A parked message with an unknown channel is refused."""
    assert is_via(value) == (isinstance(value, str) and value in VIAS)
    assert all(re.fullmatch(r"[a-z-]+(/[a-z-]+)?", via) for via in VIAS)
