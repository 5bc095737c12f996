"""Each permission against each kind of entry and identity, and what is stored of an identity."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

import pytest

from shared.callers import entry_applies
from shared.callers import permissions as asked
from shared.callers.errors import CallerRefused, ConfNotAllowed, NotAllowed
from shared.callers.stamps import identity_of, stamp_of
from shared.callers.verifier import Identity as Caller
from shared.rules.model.callers import CallerSpec
from tests.support.callers import GUID, OTHER

GROUP: Final = "00000000-0000-4000-8000-00000000000c"
ROLE: Final = "Runs.Start"
APP: Final = Caller(GUID, OTHER, is_app=True, groups=frozenset({GROUP}), roles=frozenset({ROLE}))
USER: Final = replace(APP, is_app=False, scopes=frozenset({"Call", "Read"}))
STRANGER: Final = Caller(GROUP, GUID, is_app=True)
ALL: Final[dict[str, Any]] = {
    "dags": ["load_*"],
    "events": ["Shop.*"],
    "sources": ["/shops/*"],
    "outcomes": ["load_*"],
    "status": True,
}
IDENTITIES: Final = ({"app_id": OTHER}, {"object_id": GUID}, {"group": GROUP}, {"role": ROLE})


def entry(name: str = "one", /, **members: Any) -> CallerSpec:
    """Return an entry of `callers`."""
    return CallerSpec.model_validate({"name": name, **members})


def refused(kind: type[CallerRefused], call: Callable[[], object]) -> str:
    """Return the message of a refusal."""
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    return str(caught.value)


type Find = Callable[[list[CallerSpec], Caller], CallerSpec]

PERMISSIONS: Final[dict[str, tuple[Find, str]]] = {
    "dags": (
        lambda entries, who: asked.start_entry(entries, who, dag_id="load_x", connection=None),
        "start the DAG load_x",
    ),
    "events": (
        lambda entries, who: asked.event_entry(entries, who, event_type="shop.OPENED", source="/SHOPS/1"),
        "send events of type 'shop.OPENED' about '/SHOPS/1'",
    ),
    "outcomes": (
        lambda entries, who: asked.report_entry(entries, who, dag_id="load_x"),
        "report outcomes of the DAG load_x",
    ),
    "status": (asked.status_entry, "read the status"),
}
CHECKS: Final[dict[str, tuple[Callable[[list[CallerSpec], Caller], None], str]]] = {
    "events": (asked.check_may_send, "send events;"),
    "outcomes": (asked.check_may_report, "report outcomes;"),
}


@pytest.mark.parametrize("permission", PERMISSIONS)
@pytest.mark.parametrize("members", IDENTITIES)
def test_an_entry_gives_its_identity_what_it_lists(permission: str, members: dict[str, str]) -> None:
    """Each permission needs an entry of the caller that lists it; the refusal names the permission."""
    find, what = PERMISSIONS[permission]
    has = entry("has", **members, **ALL)
    lacks = entry(
        "lacks", **members, **{name: ALL[name] for name in ("dags", "events") if name != permission}
    )
    assert find([lacks, has], APP) is has
    no_entry: tuple[tuple[list[CallerSpec], Caller], ...] = (
        ([], APP),
        ([lacks], APP),
        ([has], STRANGER),
        ([has], USER),
    )
    for entries, who in no_entry:
        message = refused(NotAllowed, partial(find, entries, who))
        assert message.startswith(
            f"{who} may not {what}; the operator of this app can allow it under `callers`"
        )


@pytest.mark.parametrize("permission", PERMISSIONS)
@pytest.mark.parametrize("members", IDENTITIES[1:])
def test_a_user_needs_a_scope_and_a_client_for_each_permission(
    permission: str, members: dict[str, str]
) -> None:
    """An entry with scopes and clients gives a user what it lists, by way of these applications alone."""
    find, _ = PERMISSIONS[permission]
    has = entry("has", **members, **ALL, scopes=["Read"], clients=[OTHER])
    assert find([has], USER) is has
    for who in (replace(USER, app_id=GROUP), replace(USER, scopes=frozenset({"Call"}))):
        refused(NotAllowed, partial(find, [has], who))


@pytest.mark.parametrize("permission", CHECKS)
@pytest.mark.parametrize("members", IDENTITIES)
def test_a_caller_without_the_permission_is_refused_before_its_body(
    permission: str, members: dict[str, str]
) -> None:
    """One entry that lists anything is enough, whatever the others lack."""
    check, what = CHECKS[permission]
    has = entry("has", **members, **{permission: ["nothing-like-it"]}, status=True)
    lacks = entry("lacks", **members, status=True)
    check([lacks, has], APP)
    for entries, who in (([lacks], APP), ([has], STRANGER), ([], APP)):
        assert f"may not {what}" in refused(NotAllowed, partial(check, entries, who))


@pytest.mark.parametrize(
    ("event_type", "source", "sources", "may"),
    [
        ("Shop.Opened", "/shops/1", ["/shops/*"], True),
        ("Depot.Full", "/shops/1", ["/shops/*"], False),
        ("Shop.Opened", "/depots/1", ["/shops/*"], False),
        ("Shop.Opened", "/depots/1", ["/shops/*", "/depots/*"], True),
        ("Shop.Opened", "/shops/../depots/1", ["/shops/*"], False),
        ("Shop.Opened", "/shops/../depots/1", None, True),
    ],
)
def test_an_entrys_sources_bound_its_events(
    event_type: str, source: str, sources: list[str] | None, *, may: bool
) -> None:
    """A source without `..` has to be one of the entry's, if it has any."""
    it = entry(object_id=GUID, events=["Shop.*"], **({} if sources is None else {"sources": sources}))

    def find() -> CallerSpec:
        return asked.event_entry([it], APP, event_type=event_type, source=source)

    if may:
        assert find() is it
    else:
        assert refused(NotAllowed, find)


def test_a_refusal_is_short_whatever_was_asked_for() -> None:
    """The type and the source that a caller wrote are cut, and so are its keys of conf and their number."""
    long = "x" * 1_000
    message = refused(NotAllowed, lambda: asked.event_entry([], APP, event_type=long, source=long))
    assert message.count("x" * 200 + "'") == 2
    assert "x" * 201 not in message
    it = entry(object_id=GUID, dags=["*"], conf=["site"])
    asked.check_conf(it, ["site"])
    for count, ending in ((1, "e0'"), (5, "e4'"), (6, "e4' and more"), (50, "' and more")):
        keys = ["site", *(f"e{number}" for number in range(count))]
        message = refused(ConfNotAllowed, partial(asked.check_conf, it, keys))
        assert message.endswith(ending)
        assert message.count("'") == 2 * min(count, 5)
        assert "site" not in message
    message = refused(ConfNotAllowed, lambda: asked.check_conf(it, [long]))
    assert message == f"this caller may not set the conf keys '{'x' * 60}'"


@pytest.mark.parametrize("who", [APP, USER])
@pytest.mark.parametrize("members", IDENTITIES[1:])
def test_what_is_stored_of_an_identity_is_what_the_entry_asks(who: Caller, members: dict[str, str]) -> None:
    """The entry is about the identity that is read back, which has no more than the entry asks."""
    it = entry(**members, **ALL, scopes=["Read", "Write"])
    stamp = stamp_of(it, who)
    back = identity_of(stamp)
    assert back is not None
    assert entry_applies(it, back)
    assert (back.object_id, back.app_id, back.is_app) == (who.object_id, who.app_id, who.is_app)
    assert back.groups == ({GROUP} if "group" in members else set())
    assert back.roles == ({ROLE} if "role" in members else set())
    assert back.scopes == (set() if who.is_app else {"Read"})
    assert stamp == {
        "entry": "one",
        "kind": "application" if who.is_app else "user",
        "object_id": GUID,
        "app_id": OTHER,
        **{name: value for name, value in members.items() if name != "object_id"},
        **({} if who.is_app else {"scopes": ["Read"]}),
    }


@pytest.mark.parametrize(
    "stamp",
    [
        None,
        "text",
        [],
        {},
        {"object_id": GUID, "app_id": OTHER},
        {"object_id": GUID, "app_id": OTHER, "kind": "robot"},
        {"object_id": 1, "app_id": OTHER, "kind": "user"},
        {"object_id": GUID, "app_id": None, "kind": "user"},
    ],
)
def test_what_names_nobody_is_nobody(stamp: Any) -> None:
    """A stamp without both ids and a known kind has no identity."""
    assert identity_of(stamp) is None


@pytest.mark.parametrize("scopes", [None, "Read", [1, None], {"Read": 1}])
def test_a_damaged_list_of_scopes_gives_none(scopes: Any) -> None:
    """A user without a readable scope has none."""
    back = identity_of({"object_id": GUID, "app_id": OTHER, "kind": "user", "scopes": scopes})
    assert back == Caller(GUID, OTHER, is_app=False)
