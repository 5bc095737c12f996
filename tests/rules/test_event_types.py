"""The event types of a rule: a misspelt type is a warning, and `app` that no event has is an error."""

from typing import Final

import pytest
from azure.eventgrid import SystemEventNames

from shared.errors import Problem, RulesError
from shared.rules import load_rules
from shared.rules.known_types import KNOWN_TYPES, doubt, never_about_a_site

HEAD: Final = "connections: {main: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}\nrules:\n"
WEB: Final = "Microsoft.Web.SlotSwapCompleted"
BLOB: Final = "Microsoft.Storage.BlobCreated"


def warnings(when: str) -> list[Problem]:
    """Return the warnings of a file with one rule."""
    text = f"{HEAD}- name: r\n  when: {when}\n  start: {{dag: d}}\n"
    return list(load_rules(text, file="rules.yaml", settings=None).warnings)


def mistakes(when: str, more: str) -> list[str]:
    """Return the paths of the errors about `app` in a file with one rule; empty if it loads."""
    text = f"{HEAD}- name: r\n  when: {when}\n  {more}\n"
    try:
        load_rules(text, file="rules.yaml", settings=None)
    except RulesError as error:
        about = "only events about a web app have `app`"
        return [problem.path if about in problem.message else str(problem) for problem in error.problems]
    return []


def test_the_known_types_are_those_of_the_sdk() -> None:
    """The list has the SDK's types and the type of Kudu's webhook."""
    assert set(KNOWN_TYPES) == {*map(str, (name.value for name in SystemEventNames))} | {
        "Microsoft.Web.Kudu.PostDeployment"
    }


@pytest.mark.parametrize("name", KNOWN_TYPES)
def test_a_known_type_is_not_doubted(name: str) -> None:
    """A known type gives no warning, in any letter case, and as the beginning of a family."""
    assert doubt(name) is None
    assert doubt(name.upper()) is None
    assert doubt(f"{name.rpartition('.')[0]}.*") is None
    assert doubt(f"{name[:-3]}*") is None


@pytest.mark.parametrize("name", KNOWN_TYPES)
def test_a_letter_less_is_noticed(name: str) -> None:
    """A known type without its last letter gives a warning that suggests the known type."""
    reason = doubt(name[:-1])
    assert reason is not None
    assert "did you mean `Microsoft." in reason


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Microsoft.Web.SlotSwapComplete", WEB),
        ("Microsoft.Web.SlotSwappedCompleted", WEB),
        ("Microsoft.Storge.BlobCreated", BLOB),
        ("Microsft.Storage.BlobCreated", BLOB),
        ("Microsoft.Sites.SlotSwapCompleted", WEB),
        ("Microsoft.Strage.*", "Microsoft.Storage.*"),
        ("Microsoft.Storage.Blobs*", "Microsoft.Storage.*"),
        ("Microsoft.DataFactory.PipelineRunFinished", None),
    ],
)
def test_the_nearest_type_is_named(name: str, meant: str | None) -> None:
    """Types of the same service come first; without a similar type there is no suggestion."""
    reason = doubt(name)
    assert reason is not None
    assert f"`{name.removesuffix('*')}`" in reason
    assert ("did you mean" in reason) == (meant is not None)
    assert meant is None or f"did you mean `{meant}`?" in reason


@pytest.mark.parametrize(
    "name",
    [
        "*",
        "Contoso.Built",
        "microsoft",
        "Microsoft.*",
        "Microsoft.Graph.UserUpdated",
        "Microsoft.Web/sites.AppUpdated",
        "com.github.push",
        "Middleware.Started",
    ],
)
def test_what_is_not_azures_is_not_doubted(name: str) -> None:
    """Own types, and types of services that document more than the list, give no warning."""
    assert doubt(name) is None


def test_a_warning_has_its_place_and_the_rules_load() -> None:
    """The warning has the type's line and column, in `types` and in a filter on the type."""
    [warning] = warnings("{types: [Microsoft.Web.SlotSwapComplete]}")
    assert str(warning).startswith(
        "rules.yaml:4:18: rule `r`: when.types[0]: no Azure service is known to emit"
    )
    [warning] = warnings(
        "{filter: [{key: eventType, operatorType: StringIn, values: [t, Microsoft.Web.Swapped]}]}"
    )
    assert warning.path == "when.filter[0].values[1]"
    assert not warnings(
        "{filter: [{key: data.type, operatorType: StringIn, values: [Microsoft.Web.Swapped]}]}"
    )


def test_a_single_value_of_a_filter_is_looked_at() -> None:
    """One value instead of a list is checked, too, as in Event Grid's older spelling."""
    [warning] = warnings("{filter: {key: Type, operator: stringin, value: Microsoft.Web.Swapped}}")
    assert warning.path == "when.filter.value"


def test_mistakes_and_warnings_come_together() -> None:
    """A file with errors also reports its warnings."""
    with pytest.raises(RulesError) as caught:
        load_rules(
            f"{HEAD}- {{name: r, when: {{types: [Microsoft.X.Y]}}, start: {{}}}}\n- {{name: s, "
            "when: {types: [Microsoft.Web.Swapped]}, start: {dag: d}}\n",
            file="f",
            settings=None,
        )
    assert [problem.path for problem in caught.value.problems] == ["start"]
    assert [warning.path for warning in caught.value.warnings] == ["when.types[0]"]


@pytest.mark.parametrize(
    ("when", "appless"),
    [
        (f"{{types: [{BLOB}]}}", True),
        ("{types: [microsoft.storage.*]}", True),
        (f"{{types: [{BLOB}, Microsoft.KeyVault.SecretNearExpiry]}}", True),
        ("{types: [Microsoft.Web.AppServicePlanUpdated]}", True),
        (f"{{filter: {{key: eventType, operatorType: StringIn, values: [{BLOB}]}}}}", True),
        ("{filter: {key: type, operatorType: StringBeginsWith, values: [Microsoft.Storage.]}}", True),
        (
            "{sources: [/subscriptions/1/resourceGroups/r/providers/Microsoft.Storage/storageAccounts/s]}",
            True,
        ),
        (f"{{types: [{WEB}]}}", False),
        (f"{{types: [{BLOB}, {WEB}]}}", False),
        ("{types: ['Microsoft.*']}", False),
        ("{types: ['*']}", False),
        ("{types: [Contoso.Built]}", False),
        ("{types: [Microsoft.Resources.ResourceWriteSuccess]}", False),
        ("{types: [Microsoft.ContainerRegistry.ImagePushed]}", False),
        ("{types: [com.github.deployment_status.success]}", False),
        ("{sources: [/subscriptions/1/resourceGroups/r]}", False),
        ("{sources: [/subscriptions/1/resourceGroups/r/providers/Microsoft.Web/sites/s]}", False),
    ],
)
def test_app_is_refused_where_no_event_has_it(when: str, appless: bool) -> None:  # noqa: FBT001 - a table's column
    """`app` is refused only if the types or sources prove that no event has it."""
    found = mistakes(when, "start: {dag: d, conf: {site: '{{ app.site }}'}}")
    assert found == (["start.conf.site"] if appless else [])


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ("start: {dag: d, conf: {a: [{b: 'of {{ app.slot }}'}]}}", "start.conf.a[0].b"),
        ("start: {dag: d, note: '{{ app.site | upper }}'}", "start.note"),
        ("start: {dag: d}\n  latest_by: '{{ app.site }}'", "latest_by"),
        ("start: {dag: d}\n  dedupe_by: '{{ app }}'", "dedupe_by"),
        ("start: {dag: d}\n  coalesce: {window: 5m, by: '{{ app.site }}'}", "coalesce.by"),
        ("start: {dag: d, conf: {a: \"{{ app.site | default('none') }}\"}}", None),
        ("start: {dag: d, conf: {a: '{{ app.site if app is defined else 1 }}'}}", None),
        ("start: {dag: d, conf: {a: '{{ data.app }}', b: 'the app {{ id }}', c: '{app.site}'}}", None),
    ],
)
def test_app_is_refused_in_every_template(more: str, path: str | None) -> None:
    """`app` is refused in every template, unless the template handles its absence."""
    assert mistakes(f"{{types: [{BLOB}]}}", more) == ([path] if path else [])


def test_app_is_refused_in_filters() -> None:
    """A comparison with `app` is refused at its key, at any depth and for any operator."""
    deep = "{any: [{key: data.x, operatorType: IsNotNull}, {not: {key: App.site, operatorType: IsNotNull}}]}"
    assert mistakes(f"{{types: [{BLOB}], filter: {deep}}}", "start: {dag: d}") == [
        "when.filter.any[1].not.key"
    ]
    assert not mistakes(f"{{types: [{WEB}], filter: {deep}}}", "start: {dag: d}")


def test_only_known_types_are_never_about_a_site() -> None:
    """A misspelt type or a part of a service's name proves nothing."""
    assert never_about_a_site(BLOB)
    assert not never_about_a_site("Microsoft.Storage.BlobMade")
    assert not never_about_a_site("Microsoft.Stor*")
