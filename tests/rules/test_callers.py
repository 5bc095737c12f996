import pytest

from shared.errors import RulesError
from shared.rules import Rules, load_rules
from shared.rules.wildcards import matches_any

HEAD = """
connections:
  one: {url: "https://one.example", auth: {kind: entra, scope: s}}
%s
rules: []
callers:
"""
TWO = 'two: {url: "https://two.example", auth: {kind: entra, scope: s}}'
GUID = "00000000-0000-4000-8000-00000000000a"


def load(entries: str, *, more: str = "", **settings: str) -> Rules:
    """Load rules with these entries of `callers`."""
    return load_rules(HEAD % f"  {more}" + entries, file="rules.yaml", settings=settings)


def test_an_entry_gets_its_connection_and_its_settings() -> None:
    """The only connection is the default, settings are resolved, and GUIDs become lower case."""
    (entry,) = load("  - {name: p, app_id: '%PIPELINE%', dags: [a]}", PIPELINE=GUID.upper()).callers
    assert (entry.connection, entry.app_id, entry.rate, entry.track) == ("one", GUID, "60/m", "none")


def test_users_are_let_in_by_scopes_and_clients() -> None:
    """Settings in `clients` are resolved, too, and GUIDs become lower case."""
    text = (
        f"  - {{name: p, object_id: {GUID}, dags: [a], scopes: [R], clients: ['%PORTAL%', {GUID.upper()}]}}"
    )
    (entry,) = load(text, PORTAL=GUID.upper()).callers
    assert (entry.scopes, entry.clients) == (["R"], [GUID, GUID])


def test_an_entry_about_events_needs_no_connection() -> None:
    """An entry with only `events` needs no connection, because rules choose it."""
    (entry,) = load(f"  - {{name: p, object_id: {GUID}, events: ['*']}}", more=TWO).callers
    assert entry.connection is None


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (f"{{name: p, app_id: {GUID}}}", "the caller may do nothing"),
        ("{name: p, dags: [a]}", "exactly one identity"),
        (f"{{name: p, app_id: {GUID}, role: r, dags: [a]}}", "exactly one identity"),
        ("{name: p, group: admins, dags: [a]}", "must be a GUID"),
        (f"{{name: p, app_id: {GUID}, dags: []}}", "must not be empty"),
        (f"{{name: p, app_id: {GUID}, dags: ['*a*b*c*d*']}}", "more than 4"),
        (f"{{name: p, app_id: {GUID}, events: [a], conf: [x]}}", "need `dags`"),
        (f"{{name: p, app_id: {GUID}, events: [a], track: callback}}", "need `dags`"),
        (f"{{name: p, app_id: {GUID}, dags: [a], sources: [x]}}", "needs `events`"),
        (f"{{name: p, app_id: {GUID}, dags: [a], rate: 5}}", "must be text"),
        (f"{{name: p, app_id: {GUID}, dags: [a], rate: 0/m}}", "write `60/m`"),
        (f"{{name: P, app_id: {GUID}, dags: [a]}}", "write `p`"),
        (f"{{name: p, app_id: {GUID}, dag: [a]}}", "did you mean `dags`"),
        (f"{{name: p, app_id: {GUID}, dags: [a], connection: on}}", "there is no connection `on`"),
        ("{name: p, app_id: '%PIPELINE%', dags: [a]}", "`PIPELINE` is missing"),
        (f"{{name: p, app_id: {GUID}, dags: [a], scopes: [Runs.Start]}}", "is an application itself"),
        (f"{{name: p, object_id: {GUID}, dags: [a], clients: [{GUID}]}}", "has no effect without `scopes`"),
        (f"{{name: p, object_id: {GUID}, dags: [a], scopes: []}}", "must not be empty"),
        (f"{{name: p, object_id: {GUID}, dags: [a], scopes: ['']}}", "must not be empty"),
        (f"{{name: p, object_id: {GUID}, dags: [a], scopes: ['*']}}", "not allowed here"),
        (f"{{name: p, object_id: {GUID}, dags: [a], scopes: ['Runs.Start Runs.All']}}", "not allowed here"),
        (
            f"{{name: p, object_id: {GUID}, dags: [a], scopes: ['api://u/Runs.Start']}}",
            "the scope's name in tokens; write `Runs.Start`",
        ),
        (f"{{name: p, object_id: {GUID}, dags: [a], scopes: [R], clients: []}}", "must not be empty"),
        (f"{{name: p, object_id: {GUID}, dags: [a], scopes: [R], clients: ['*']}}", "must be a GUID"),
        (f"{{name: p, object_id: {GUID}, dags: [a], scopes: [R], clients: ['%NO%']}}", "`NO` is missing"),
        ("7", "must be an object"),
    ],
)
def test_a_mistake_is_told_where_it_stands(entry: str, says: str) -> None:
    """Each error has its line and what to write."""
    with pytest.raises(RulesError, match=says) as caught:
        load(f"  - {entry}")
    assert all(problem.line == 7 for problem in caught.value.problems)


def test_names_are_unique_and_connections_are_chosen() -> None:
    """Two entries have different names, and with two connections an entry names one."""
    entry = f"  - {{name: p, app_id: {GUID}, dags: [a]}}\n"
    with pytest.raises(RulesError) as caught:
        load(entry * 2, more=TWO)
    assert "is taken by the caller on line 7" in str(caught.value)
    assert "`connection` is missing" in str(caught.value)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("track: poll", "`callback` or `none`"),
        ("callback: {lifetime: 1h}", "without `track: callback`"),
        ("track: callback\n    callback: {lifetime: 721h}", "720h is the most"),
        ("track: callback\n    callback: {token: mine}", "`reverse` or `none`"),
    ],
)
def test_mistakes_about_callbacks_are_told(more: str, says: str) -> None:
    """The errors of a rule's `callback` are reported."""
    rule = f"""
connections:
  one: {{url: "https://one.example", auth: {{kind: entra, scope: s}}}}
rules:
  - name: r
    when: {{types: [t]}}
    start: {{dag: d}}
    {more}
"""
    with pytest.raises(RulesError, match=says):
        load_rules(rule, file="rules.yaml", settings={})


def test_the_name_call_is_taken() -> None:
    """No rule has the name of direct runs."""
    text = (
        HEAD.replace("rules: []\ncallers:", "rules: [{name: call, when: {types: [t]}, start: {dag: d}}]") % ""
    )
    with pytest.raises(RulesError, match="the name `call` is reserved"):
        load_rules(text, file="rules.yaml", settings={})


@pytest.mark.parametrize(
    ("patterns", "name", "fits"),
    [
        (["a"], "a", True),
        (["a"], "A", False),
        (["a*"], "abc", True),
        (["*c"], "abc", True),
        (["a*c"], "abc", True),
        (["a*c"], "ab", False),
        (["*"], "", True),
        (["a.c"], "abc", False),
        (["[a-z]"], "b", False),
        (["x", "a*"], "a\nb", True),
        ([], "a", False),
        (None, "a", False),
    ],
)
def test_a_star_stands_for_any_characters(patterns: list[str] | None, name: str, *, fits: bool) -> None:
    """`*` is the only wildcard of a pattern."""
    assert matches_any(patterns, name) is fits
    assert matches_any(["A*"], "abc", case=False)
