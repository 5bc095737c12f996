"""A path's beginning ends at a segment, and no `..` leads out of it: in rules, in `callers`, on the wire."""

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.callers import Identity as Verified
from shared.callers import event_entry
from shared.deciding.decide import decide
from shared.errors import RulesError
from shared.event import Event
from shared.rules import Rules, load_rules
from shared.rules.event_grid_subscription import subscription_filter
from shared.values.path_prefixes import begins_with, begins_with_any, has_dot_segments
from tests.support.callers import GUID, OTHER, refusal, spec
from tests.support.http_app import AGENT, Caller

WEB = "/subscriptions/0/resourceGroups/web"
DOTS = (
    "..",
    ".",
    "%2e%2e",
    "%2E.",
    ".%2e",
    "%252e%252e",
    "%25252e.",
)
SLASHES = ("/", "\\", "%2f", "%2F", "%5c", "%252f")


def rules(when: str) -> Rules:
    """Return one rule with a condition."""
    return load_rules(
        'connections: {main: {url: "https://a.example", auth: {kind: entra, scope: s}}}\n'
        f"rules: [{{name: r, when: {{{when}}}, start: {{dag: d}}}}]",
        file="rules.yaml",
        settings={},
    )


def takes(when: str, *, source: str = "/s", subject: str | None = None) -> bool:
    """Return whether a rule with a condition starts a run for an event."""
    return bool(decide(Event(id="1", source=source, type="t", subject=subject), rules(when)))


INSIDE = ["", "/", "/providers/x", "/PROVIDERS/X", "?a=b", "#f", "/..x/y", "/x../y", "/...", "/%2ex"]
OUTSIDE = ["-of-somebody-else/x", "2", ".x", "%2fx", ":x", " x", "\u00e9/x", ";x", "*", "\\x"]


@pytest.mark.parametrize("beginning", [WEB, WEB.upper(), f"{WEB}/"])
def test_a_source_matches_at_a_segments_end(beginning: str) -> None:
    """Paths below the path match; a longer name does not."""
    when = f"sources: ['{beginning}']"
    for rest in INSIDE:
        assert takes(when, source=WEB + rest) == (not beginning.endswith("/") or rest.startswith("/")), rest
    for rest in OUTSIDE:
        assert not takes(when, source=WEB + rest), rest


@pytest.mark.parametrize("beginning", ["https://github.com/contoso", "https://shop.azurewebsites.net", "a/b"])
def test_an_address_matches_at_a_segments_end(beginning: str) -> None:
    """An address is a path too: neither a longer name nor a longer host is taken for it."""
    when = f"sources: ['{beginning}']"
    assert takes(when, source=beginning)
    assert takes(when, source=f"{beginning}/x")
    for rest in ("-evil/x", ".evil.example/x", ":x@evil.example"):
        assert not takes(when, source=beginning + rest)


def test_what_is_no_path_is_text() -> None:
    """A name without `/` has no segments."""
    assert takes("sources: ['urn:contoso:']", source="urn:contoso:orders")
    assert takes("sources: ['urn:contoso']", source="urn:contoso-2")


def test_a_star_leaves_the_segment_open() -> None:
    """A `*` at the end matches every name with the beginning, and is refused elsewhere."""
    when = f"sources: ['{WEB}-*']"
    assert takes(when, source=f"{WEB}-1/x")
    assert not takes(when, source=f"{WEB}/x")
    assert not takes(when, source=f"{WEB}-1/../x")
    with pytest.raises(RulesError, match="at the end"):
        rules("sources: ['/a*b']")


def test_a_subject_matches_at_a_segments_end() -> None:
    """A container's name is not the beginning of another one's, with or without letter case."""
    for more in ("", ", case_sensitive: true"):
        when = f"subject: {{begins_with: /blobServices/default/containers/orders{more}}}"
        assert takes(when, subject="/blobServices/default/containers/orders/blobs/a.csv")
        assert not takes(when, subject="/blobServices/default/containers/orders-private/blobs/a.csv")
        assert not takes(when, subject="/blobServices/default/containers/orders/../private/blobs/a.csv")
        when = f"subject: {{begins_with: '/blobServices/default/containers/orders/blobs/2026-*'{more}}}"
        assert takes(when, subject="/blobServices/default/containers/orders/blobs/2026-03-01.csv")


@pytest.mark.parametrize("dots", DOTS)
@pytest.mark.parametrize("slash", SLASHES)
def test_dots_never_match(dots: str, slash: str) -> None:
    """A segment `.` or `..` matches no beginning, however its dots and slashes are written."""
    who = Verified(GUID, OTHER, is_app=True)
    entry = spec(events=["*"], sources=[f"{WEB}/*", f"{WEB}*", "*"])
    for path in (f"/{dots}{slash}x", f"/x{slash}{dots}", f"{slash}{dots}{slash}x", f"/{dots};{slash}x"):
        source = WEB + path
        assert has_dot_segments(source), source
        assert not takes(f"sources: ['{WEB}']", source=source)
        assert not takes(f"subject: {{begins_with: '{WEB}*'}}", subject=source)
        denied = refusal(partial(event_entry, [entry], who, event_type="t", source=source))
        assert denied.status == 403


@pytest.mark.parametrize(
    "path", ["/a/..b/c", "/a/b../c", "/a/.../c", "/a.b/c.d", "/a/%2eb", "/v1.0", "a", "/", "..."]
)
def test_other_dots_are_names(path: str) -> None:
    """A name may have dots."""
    assert not has_dot_segments(path)


PATHS = st.lists(st.sampled_from(["a", "ab", "b", ".", "..", "", "%2e"]), max_size=5).map("/".join)


@given(PATHS, PATHS)
def test_a_beginning_is_whole_segments(path: str, beginning: str) -> None:
    """For paths, "begins with" compares lists of segments; the last one may be empty, as in `/a/`."""
    if "/" not in beginning:
        return
    wanted, given_ = beginning.split("/"), path.split("/")
    if wanted[-1] == "":
        expected = given_[: len(wanted) - 1] == wanted[:-1] and len(given_) >= len(wanted)
    else:
        expected = given_[: len(wanted)] == wanted
    assert begins_with(path, beginning) == expected
    dotted = any(each in {".", "..", "%2e"} for each in given_)
    assert begins_with_any(path, [beginning]) == (expected and not dotted)


@given(PATHS, PATHS, st.sampled_from(["", "*"]))
def test_event_grid_lets_through_what_a_rule_takes(path: str, beginning: str, star: str) -> None:
    """Event Grid's filter is a plain prefix: it may let through more than the rule takes, never less."""
    if not beginning:
        return
    loaded = rules(f"subject: {{begins_with: '{beginning}{star}'}}")
    text = str(subscription_filter(loaded.rules).get("subjectBeginsWith", ""))
    if decide(Event(id="1", source="/s", type="t", subject=path), loaded):
        assert path.lower().startswith(text.lower())


def test_why_a_longer_name_does_not_match_is_said() -> None:
    """The reason differs from the reason for a path with another beginning."""
    from shared.deciding.matching import Matching

    (rule,) = rules(f"sources: ['{WEB}']").rules

    def why(source: str) -> str | None:
        return Matching(Event(id="1", source=source, type="t")).failure(rule)

    assert "which continues the last segment of" in str(why(f"{WEB}-2/x"))
    assert "has a segment `.` or `..`" in str(why(f"{WEB}/../x"))
    assert "which does not begin with" in str(why("/other"))
    assert why(f"{WEB}/x") is None


EVENT: dict[str, Any] = {"specversion": "1.0", "id": "1", "type": "Shop.Opened", "data": {"door": "front"}}


@pytest.mark.parametrize("dots", DOTS)
def test_a_called_in_source_with_dots_is_refused(caller: Caller, dots: str) -> None:
    """400 in structured mode, in a batch and in binary mode, which decodes the attribute."""
    token = caller.token(AGENT)
    for slash in SLASHES:
        for rest in (f"/{dots}{slash}contoso", f"{slash}{dots}{slash}contoso", f"/1/{dots}"):
            source = f"/shops{rest}"
            answer = caller.post("events", token, EVENT | {"source": source})
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_event"), source
    good = EVENT | {"source": "/shops/1"}
    batch = [good, EVENT | {"source": f"/shops/{dots}/contoso"}]
    headers = {"Content_Type": "application/cloudevents-batch+json"}
    assert caller.post("events", token, batch, **headers).status_code == 400
    binary = {f"ce_{name}": str(value) for name, value in EVENT.items() if name != "data"}
    answer = caller.post("events", token, {"door": "x"}, **binary, ce_source=f"/shops/{dots}/contoso")
    assert answer.status_code == 400
    assert not caller.stub.runs
    assert caller.post("events", token, good).status_code == 202
