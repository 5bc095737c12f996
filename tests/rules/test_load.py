"""Loading rules.yaml: all errors are reported, each with its position and fix."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RulesError
from shared.rules import AirflowAuth, Connection, EntraAuth, Rules, load_rules
from shared.values.app_settings import setting_names
from shared.values.invisible import invisible_in, trimmed
from tests.support.paths import EXAMPLE_RULES

CONNECTION = "connections: {main: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}\n"


def load(text: str, settings: dict[str, str] | None = None) -> Rules:
    """Load a rules file."""
    return load_rules(text, file="rules.yaml", settings=settings or {})


def _asking(via: str) -> str:
    """Return rules of which one has `via`."""
    return f"{CONNECTION}rules: [{{name: r, when: {{via: {via}}}, start: {{dag: d}}}}]"


def problems(text: str, settings: dict[str, str] | None = None) -> list[str]:
    """Return every problem of a rules file as text."""
    with pytest.raises(RulesError) as caught:
        load(text, settings)
    return [str(problem) for problem in caught.value.problems]


def rule(text: str) -> str:
    """Return a rules file with one rule that has these keys."""
    return f"{CONNECTION}rules:\n- name: r\n" + "".join(f"  {line}\n" for line in text.splitlines())


def connection(text: str) -> str:
    """Return a rules file with one connection."""
    return f"connections:\n  main: {{{text}}}\nrules: []\n"


def test_the_example_rules_load() -> None:
    """The demo's rules are right, start with the editor's comment, and need one setting."""
    text = EXAMPLE_RULES.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../docs/rules.schema.json\n")
    rules = load(text, {"UPDRAFT_AIRFLOW_URL": "http://127.0.0.1:8080"})
    assert [each.name for each in rules.rules] == ["smoke-test-after-swap", "load-new-orders"]
    assert rules.connections["analytics"].url == "http://127.0.0.1:8080"


def test_all_mistakes_show_at_once_in_the_files_order() -> None:
    """Errors of all kinds are reported together, also in a rule that the model refuses."""
    found = problems(
        "connections:\n"
        "  main: {url: ftp://x, auth: {kind: entra, scope: s}, urll: 3}\n"
        "rules:\n"
        "- name: Bad\n"
        "  when: {typs: [x], filter: {operatorType: StringBegins, key: data.x, values: [a]}}\n"
        "  start: {dag: d, conf: {a: '{{ dta }}'}, note: '{{'}\n"
        "  dedupe_by: '{{ x y }}'\n"
        "- name: ok\n"
        "  when: {types: [t]}\n"
        "  start: {dag: 5, connection: mian}\n"
        "- name: fine\n"
        "  when: {types: [t], filter: {any: [{operatorType: StringIn, keyy: a, values: [1]}]}}\n"
        "  start: {dag: d, connection: mein}\n"
    )
    expected = [
        ("2:15", "connections.main.url: `url` is not an address", ""),
        ("2:55", "connections.main: unknown key `urll`", "did you mean `url`"),
        ("4:9", "rule `Bad`: name: `Bad` is not allowed as a rule's name", "write `bad`"),
        ("5:10", "rule `Bad`: when: unknown key `typs`", "did you mean `types`"),
        ("5:44", "rule `Bad`: when.filter.operatorType", "StringBeginsWith"),
        ("6:29", "rule `Bad`: start.conf.a: `dta` is not defined", "did you mean `data`"),
        ("6:49", "rule `Bad`: start.note: `{{` is not closed", "write `{{ }}`"),
        ("7:14", "rule `Bad`: dedupe_by: `y` is not expected there", "write a filter"),
        ("10:16", "rule `ok`: start.dag: must be text, not the number 5; write it in quotes", ""),
        ("10:31", "rule `ok`: start.connection: there is no connection `mian`", "did you mean `main`"),
        ("12:62", "rule `fine`: when.filter.any[0]: unknown key `keyy`", "key"),
        ("13:31", "rule `fine`: start.connection: there is no connection `mein`", "did you mean `main`"),
    ]
    for place, message, meant in expected:
        matching = [line for line in found if message in line]
        assert matching, (message, found)
        assert matching[0].startswith(f"rules.yaml:{place}:"), matching
        assert meant in matching[0]
    assert found == sorted(found, key=lambda line: [int(part) for part in line.split(":")[1:3]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "must be an object with `connections` and `rules`"),
        ("rules: []", "`connections` is missing"),
        (CONNECTION, "`rules` is missing"),
        ("connections: {}\nrules: []", "connections: must not be empty"),
        ("connections: 3\nrules: 4", "connections: must be an object, not the number 3"),
        ("connections: {main: 3}\nrules: []", "connections.main: must be an object, not the number 3"),
        (
            "connections: {main: {}}\nrules: []",
            "`auth` is missing",
        ),
        (
            "connections: {'a b': {url: 'https://x', auth: {kind: entra, scope: s}}}\nrules: []",
            "`a b` is not allowed",
        ),
        (f"{CONNECTION}rules: [3]", "rules[0]: must be an object, not the number 3"),
        (f"{CONNECTION}rules: [null]", "rules[0]: must be an object, not nothing"),
        (f"{CONNECTION}rules: []\nx: 1", "unknown key `x`; there are "),
        (_asking("hook/gitlab"), "rule `r`: when.via: must be `queue`, `webhook`, `hook/*`"),
        (_asking("hook/gitlab"), "not `hook/gitlab`; did you mean `hook/github`?"),
        (_asking("[queue, call]"), "rule `r`: when.via[1]: must be `queue`"),
        (_asking("unknown"), "rule `r`: when.via: must be `queue`"),
        (_asking("[]"), "rule `r`: when.via: must not be empty"),
        (_asking("5"), "rule `r`: when.via: must be a list, not the number 5"),
    ],
)
def test_mistakes_of_the_file(text: str, message: str) -> None:
    """A missing part, or a part of another type, is reported at its position."""
    assert any(message in line for line in problems(text)), problems(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("url: x, auth: {kind: entra, scope: s}", "`url` is not an address; write one such as"),
        ("url: 'https://x:port', auth: {kind: entra, scope: s}", "`url` is not an address"),
        ("url: 'https://u:p@x', auth: {kind: entra, scope: s}", "holds a user name or password"),
        ("url: 'https://x?a=1', auth: {kind: entra, scope: s}", "`url` has a `?` or `#`"),
        (
            "url: 'http://x.example', auth: {kind: entra, scope: s}",
            "`url` begins with http://; write https://",
        ),
        ("url: 'https://x', auth: {kind: entr, scope: s}", "not `entr`; did you mean `entra`?"),
        (
            "url: 'https://x', auth: {scope: s}",
            "`bearer`, `entra`, `entra_exchange`, `google` or `oidc`, not nothing",
        ),
        ("url: 'https://x', auth: entra", "connections.main.auth: must be an object, not `entra`"),
        ("url: 'https://x', auth: {kind: entra}", "`scope` is missing"),
        ("url: 'https://x', auth: {kind: airflow, password_secret: p}", "either `username` or"),
        (
            "url: 'https://x', auth: {kind: airflow, username: u, username_secret: u, password_secret: p}",
            "either `username` or `username_secret`",
        ),
        (
            "url: 'https://x', auth: {kind: airflow, username: u, password: p}",
            "did you mean `password_secret`",
        ),
        (
            "url: 'https://x', auth: {kind: entra, scope: s}, api: v3",
            "must be `auto`, `v1` or `v2`, not `v3`",
        ),
        (
            "url: 'https://x', auth: {kind: entra, scope: s}, read_timeout: 0",
            "must be more than 0, not the number 0",
        ),
        (
            "url: 'https://x', auth: {kind: entra, scope: s}, in_flight: many",
            "must be a whole number, not `many`",
        ),
        ("url: 'https://x', auth: {kind: entra, scope: s}, name: x", "unknown key `name`"),
    ],
)
def test_mistakes_of_a_connection(text: str, message: str) -> None:
    """Each error of a connection is reported, without a secret's value."""
    found = problems(connection(text))
    assert any(message in line for line in found), found
    assert all(line.startswith("rules.yaml:2:") for line in found)
    assert "u:p" not in "".join(found)


@pytest.mark.parametrize(
    "url", ["https://x.example/airflow", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:80"]
)
def test_addresses_that_are_allowed(url: str) -> None:
    """Https is allowed everywhere, http only on the same machine or with `allow_http`."""
    load(connection(f"url: '{url}', auth: {{kind: entra, scope: s}}"))
    load(connection("url: 'http://x.example', allow_http: true, auth: {kind: entra, scope: s}"))


def test_connections_have_their_defaults() -> None:
    """A missing key has the documented default, and each kind of auth has its own class."""
    rules = load(
        "connections:\n"
        "  a: {url: 'https://x', auth: {kind: entra, scope: s}}\n"
        "  b: {url: 'https://x', api: v2, connect_timeout: 1, in_flight: 4,\n"
        "      auth: {kind: airflow, username: u, password_secret: p}}\n"
        "rules: []\n"
    )
    first, second = rules.connections["a"], rules.connections["b"]
    assert first == Connection(name="a", url="https://x", auth=EntraAuth(kind="entra", scope="s"))
    assert (first.api, first.connect_timeout, first.read_timeout, first.in_flight) == ("auto", 3.0, 10.0, 8)
    assert isinstance(second.auth, AirflowAuth)
    assert (second.name, second.api, second.connect_timeout, second.in_flight) == ("b", "v2", 1.0, 4)


def test_application_settings_are_filled_in() -> None:
    """%NAME% is replaced by a setting; a missing setting is an error with its name."""
    text = connection("url: '%AIRFLOW%/x', auth: {kind: entra, scope: '%UPDRAFT_SCOPE%'}")
    found = load(text, {"AIRFLOW": "https://a.example", "UPDRAFT_SCOPE": "api://x"}).connections["main"]
    assert found.url == "https://a.example/x"
    assert isinstance(found.auth, EntraAuth)
    assert found.auth.scope == "api://x"
    missing = problems(text, {"AIRFLOW": "https://a.example", "UPDRAFT_SCOPES": "x"})
    [problem] = missing
    assert problem.startswith("rules.yaml:2:57: connections.main.auth.scope: the application setting ")
    assert problem.endswith("`UPDRAFT_SCOPE` is missing; did you mean `UPDRAFT_SCOPES`? (set it in the app)")
    assert problems(text, {"AIRFLOW": "ftp://x", "UPDRAFT_SCOPE": "s"})
    unknown = load_rules(text, file="rules.yaml", settings=None)
    assert unknown.connections["main"].url == "%AIRFLOW%/x"


def test_a_setting_is_read_as_it_was_meant() -> None:
    """Line ends, spaces and a byte order mark around a setting are removed before the checks."""
    text = connection("url: '%AIRFLOW:URL%', auth: {kind: entra, scope: '%SCOPE%'}")
    found = load(
        text, {"AIRFLOW__URL": "\ufeffhttps://a.example\r\n", "SCOPE": " api://x\u00a0"}
    ).connections["main"]
    assert found.url == "https://a.example"
    assert isinstance(found.auth, EntraAuth)
    assert found.auth.scope == "api://x"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("https://air flow.example", "`url` holds a blank: `https://air␣flow.example`"),
        ("https://air\u200bflow.example", "`URL` holds U+200B ZERO WIDTH SPACE"),
        ("https://airflow.example/api/v2", "; write https://airflow.example"),
        ("http://airflow.example", "`url` begins with http://"),
        ("airflow.example", "`url` is not an address"),
        ("%OTHER%", "`URL` names another setting (`URL` → `OTHER`)"),
        ("https://%OTHER%", "`URL` names another setting (`URL` → `OTHER`)"),
        ("https://airflow.example/%zz", "in which a `%`"),
        ("<the address>", "`url` holds a blank"),
    ],
)
def test_what_a_setting_gives_is_checked_again(value: str, message: str) -> None:
    """A value of a setting is checked like any text, at the line with the name of the setting."""
    text = connection("url: '%URL%', auth: {kind: entra, scope: s}")
    [problem] = problems(text, {"URL": value, "OTHER": "x"})
    assert problem.startswith("rules.yaml:2:15: connections.main.url: ")
    assert message in problem
    assert "application setting `URL`" in problem


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        (
            "vaults: {p: '%V%'}",
            {"V": "https://v.vault.azure.net/secrets/x"},
            "write https://v.vault.azure.net",
        ),
        ("vaults: {p: '%V%'}", {"V": "http://v.example"}, "begins with http://; write https://"),
        ("callers: [{name: c, app_id: '%V%', dags: ['*']}]", {"V": "no-guid"}, "must be a GUID"),
    ],
)
def test_every_part_that_takes_settings_is_checked_again(
    text: str, settings: dict[str, str], message: str
) -> None:
    """Vaults and callers are checked with their settings' values, too."""
    [problem] = problems(f"{CONNECTION}{text}\nrules: []\n", settings)
    assert message in problem
    assert "(the value of the application setting `V`)" in problem or "vaults" in problem


@pytest.mark.parametrize("end", ["/api/v1", "/api/v2/", "/home", "/docs", "/auth/login/"])
def test_the_address_of_a_page_is_found_without_settings(end: str) -> None:
    """`updraft validate` finds the address of a page without knowing the settings."""
    for base in ("https://airflow.example", "%URL%", "https://%HOST%/airflow"):
        text = connection(f"url: '{base}{end}', auth: {{kind: entra, scope: s}}")
        with pytest.raises(RulesError, match=f"rules.yaml:2:15: .*write {base}$"):
            load_rules(text, file="rules.yaml", settings=None)


@given(
    value=st.text(max_size=20)
    | st.text("htps:/%AB.x@?#[] \t\n\u200b\ufeff", max_size=20).map(lambda text: f"https://{text}")
)
def test_whatever_a_setting_holds_is_an_address_or_a_mistake(value: str) -> None:
    """Every value of a setting is a valid address or an error."""
    text = connection("url: '%A%', auth: {kind: entra, scope: s}")
    try:
        url = load(text, {"A": value, "B": "x"}).connections["main"].url
    except RulesError as error:
        unnamed = [problem for problem in error.problems if "`A`" not in problem.message]
    else:
        unnamed = []
        assert urlsplit(url).hostname
        assert url == trimmed(value)
        assert invisible_in(url) is None
        assert not setting_names(url)
        assert " " not in url
    assert not unnamed


def test_an_encoded_path_is_not_a_setting() -> None:
    """`%E4%BD%A0` in a path is a character of UTF-8, with settings and without."""
    text = connection("url: 'https://proxy.example/%E4%BD%A0', auth: {kind: entra, scope: s}")
    for settings in ({}, {"E4": "x", "BD": "y"}, None):
        rules = load_rules(text, file="rules.yaml", settings=settings)
        assert rules.connections["main"].url == "https://proxy.example/%E4%BD%A0"


def test_keys_that_begin_with_x_hold_anchors() -> None:
    """Keys with `x-` at the top level can contain anything; aliases of it are checked where they are used."""
    text = (
        "x-auth: &auth {kind: entra, scope: s}\n"
        "x-conf: &conf {site: '{{ data.site }}', mask: 0x1F}\n"
        'x-anything: [1, {no: "rule\u200b"}]\n'
        "connections: {main: {url: 'https://airflow.example', auth: *auth}}\n"
        "rules:\n- {name: r, when: {types: [t]}, start: {dag: d, conf: {<<: *conf, more: 1}}}\n"
    )
    [only] = load(text).rules
    assert only.spec.start.conf == {"site": "{{ data.site }}", "mask": 31, "more": 1}
    wrong = text.replace("data.site }}", "dta.site }}")
    [problem] = problems(wrong)
    assert problem.startswith("rules.yaml:2:22: rule `r`: start.conf.site: `dta` is not defined")
    [problem] = problems(text.replace("x-conf", "conf"))
    assert "unknown key `conf`" in problem
    assert "`x-`" in problem


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("when: {types: [t]}", "rule `r`: `start` is missing (the run that the rule starts)"),
        ("when: {types: [t]}\nstart: {}", "`dag` is missing (the DAG's id)"),
        ("when: {}\nstart: {dag: d}", "without a condition every event would start a run"),
        ("when: {types: []}\nstart: {dag: d}", "rule `r`: when.types: must not be empty"),
        ("when: {types: ['']}\nstart: {dag: d}", "rule `r`: when.types[0]: must not be empty"),
        ("when: {types: ['*.x']}\nstart: {dag: d}", "`*` is allowed only at the end"),
        ("when: {types: t}\nstart: {dag: d}", "must be a list, not `t`"),
        ("when: {subject: {}}\nstart: {dag: d}", "write `begins_with`, `ends_with` or both"),
        ("when: {subject: {beginsWith: x}}\nstart: {dag: d}", "did you mean `begins_with`"),
        ("when: {types: [t]}\nstart: {dag: 'a b'}", "`a b` is not allowed as a DAG's id"),
        (
            "when: {types: [t]}\nstart: {dag: d, conf: [1]}",
            "rule `r`: start.conf: must be an object, not a list",
        ),
        ("when: {types: [t]}\nstart: {dag: d, conf: {_updraft: 1}}", "the key `_updraft` is reserved"),
        ("when: {types: [t]}\nstart: {dag: d}\nenabled: yes", "must be true or false, not `yes`"),
        ("when: {types: [t]}\nstart: {dag: d}\ndescription: 5", "write it in quotes"),
        ("when: {types: [t]}\nstart: {dag: d}\ndescription: " + "x" * 501, "at most 500"),
        ("when: {types: [t]}\nstart: {dag: d}\nwhen_paused: held", "did you mean `hold`?"),
        ("when: {types: [t]}\nstart: {dag: d}\nmax_age: 169h", "`max_age` is 169h, and 168h is the most"),
        ("when: {types: [t]}\nstart: {dag: d}\nmax_age: 1d", "`1d` is not a duration; write `24h`"),
        ("when: {types: [t]}\nstart: {dag: d}\ntrack: poll", "`callback` or `none`"),
        ("when: {types: [t]}\nstart: {dag: d}\nlatest_by: '{{ ids }}'", "did you mean `id`"),
        (
            "when: {types: [t]}\nstart: {dag: d}\ncoalesce: {window: 25h, by: x}",
            "`window` is 25h, and 24h is the most",
        ),
        (
            "when: {types: [t]}\nstart: {dag: d, conf: {all: '{{ events }}'}}",
            "`events` exists only in a rule with `coalesce`",
        ),
        (
            "when: {types: [t]}\nstart: {dag: d}\ncoalesce: {window: 5m, by: '{{ events }}'}",
            "`events` exists only in a rule with `coalesce`",
        ),
        (
            "when: {types: [t]}\nstart: {dag: d}\ncoalesce: {window: 5 min, by: x}",
            "`5 min` is not a duration; write `5m`",
        ),
        (
            "when: {types: [t]}\nstart: {dag: d}\ndedupe_by: '{{ id }}'\ncoalesce: {window: 5m, by: x}",
            "`coalesce` and `dedupe_by` exclude each other",
        ),
        (
            "when: {types: [t]}\nstart: {dag: d}\nlatest_by: '{{ id }}'\ncoalesce: {window: 5m, by: x}",
            "`coalesce` and `latest_by` exclude each other",
        ),
        ("when: {types: [t]}\nstart: {dag: d}\ndedupe_by: same", "all events would share one run"),
    ],
)
def test_mistakes_of_a_rule(text: str, message: str) -> None:
    """Each error of a rule is reported with its fix."""
    assert any(message in line for line in problems(rule(text))), problems(rule(text))


@pytest.mark.parametrize("name", ["scheduled", "backfill"])
def test_names_with_which_airflow_refuses_run_ids(name: str) -> None:
    """A rule's name never makes a run id with one of Airflow's own prefixes."""
    text = f"{CONNECTION}rules:\n- {{name: {name}, when: {{types: [t]}}, start: {{dag: d}}}}\n"
    assert f"Airflow reserves run ids that begin with `{name}__`" in problems(text)[0]


def test_names_are_unique() -> None:
    """A second rule with the same name is an error at its name."""
    text = f"{CONNECTION}rules:\n" + "- {name: a, when: {types: [t]}, start: {dag: d}}\n" * 2
    [problem] = problems(text)
    assert problem == (
        "rules.yaml:4:10: rule `a`: name: the name `a` is taken by the rule on line 3; "
        "write another name: names are unique"
    )


def test_the_connection_may_be_left_out_where_there_is_one() -> None:
    """With one connection a rule need not name it; with two it must."""
    one = rule("when: {types: [t]}\nstart: {dag: d}")
    assert load(one).rules[0].connection == "main"
    two = one.replace(
        "connections: {", "connections: {other: {url: 'https://x', auth: {kind: entra, scope: s}}, "
    )
    assert (
        "`connection` is missing; write `connection: other`; there is more than one: other, main"
        in problems(two)[0]
    )


SLOT = "{operatorType: StringIn, key: app.slot, values: [production]}"
LISTED = "{operatorType: StringIn, key: data.x, values: [a]}"


def test_anchors_and_merges_work_in_rules() -> None:
    """Anchors and merges of YAML work."""
    rules = load(
        f"{CONNECTION}rules:\n"
        "- &base {name: a, when: {types: [t]}, start: {dag: d}}\n"
        "- {<<: *base, name: b}\n"
    )
    assert [each.name for each in rules.rules] == ["a", "b"]


@given(
    name=st.text(max_size=8),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["name", "when", "types", "start", "dag", "conf", "filter", "all", "key", "url"]
                ),
                inner,
                max_size=4,
            )
        ),
    ),
)
def test_any_document_is_rules_or_problems(name: str, value: object) -> None:
    """Loading any document returns rules or raises a RulesError with positions."""
    import json

    for document in (value, {"connections": {name: value}, "rules": [value, {"name": "a", "when": value}]}):
        try:
            load(json.dumps(document))
        except RulesError as error:
            assert error.problems  # noqa: PT017 - both ways are right


@pytest.mark.parametrize(
    ("via", "ways"),
    [
        ("queue", {"queue"}),
        ("[queue, webhook]", {"queue", "webhook"}),
        ("hook/*", {"hook/acr", "hook/azure-devops", "hook/github", "hook/kudu"}),
        (
            "[hook/*, hook/kudu, replay]",
            {"hook/acr", "hook/azure-devops", "hook/github", "hook/kudu", "replay"},
        ),
    ],
)
def test_a_rule_asks_for_one_way_or_several(via: str, ways: set[str]) -> None:
    """`via` is one channel, a list, or every hook; it is a condition like any other."""
    (rule,) = load_rules(_asking(via), file="rules.yaml", settings={}).rules
    assert rule.via == ways
    assert rule.any_type
