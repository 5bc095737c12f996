"""A short text cannot cause much work: patterns, regular expressions, "did you mean", bodies, refusals.

No test here fails by an absolute time. Steps are counted, or times are compared with each other.
"""

import ast
import difflib
import http.client
import importlib
import json
import pkgutil
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shared
from cli.commands.doctor import LARGEST_BODY
from shared.callers import Identity as Verified
from shared.callers import Rates, check_conf, event_entry, permissions
from shared.callers.errors import NotAllowed
from shared.deciding.decide import decide
from shared.event import Event
from shared.http_api.callers import Callers
from shared.http_api.status import StatusEndpoint
from shared.rules import load_rules
from shared.rules.templates.scope import missing_message
from shared.rules.wildcards import matches, matches_any
from shared.runs.ref import RunRef
from shared.values.wording import MOST_COMPARED, near_miss
from shared.web import CallRefused, Request
from tests.support.callers import GUID, OTHER, refusal, spec
from tests.support.clocks import UnixClock
from tests.support.http_app import AGENT, AIRFLOW, GROUP, STRANGER, Caller
from tests.support.paths import ROOT

GROWTH: Final = 16
"""How much longer the second input is. Linear work takes 16 times as long, quadratic work 256 times."""
TOO_STEEP: Final = 64.0
NEGLIGIBLE: Final = 0.001
"""Seconds below which a time is noise."""


def seconds(call: Callable[[], object], times: int = 5) -> float:
    """Return the shortest time of some calls."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return min(taken)


def is_steep(work: Callable[[str], object], text: Callable[[int], str], size: int = 1_000) -> bool:
    """Return whether work grows faster than its input."""
    large = text(size * GROWTH)
    if seconds(lambda: work(large), 1) < NEGLIGIBLE:
        return False
    small = text(size)
    return seconds(lambda: work(large)) > TOO_STEEP * max(seconds(lambda: work(small)), 1e-6)


@dataclass(frozen=True)
class Bait:
    """A text of any size: a unit repeated between a beginning and an end."""

    unit: str
    head: str = ""
    tail: str = ""

    def __call__(self, size: int) -> str:
        """Return the text with about so many characters."""
        return self.head + self.unit * (size // len(self.unit)) + self.tail


# Patterns of the operator, text of a caller


class Counted(str):
    """A text that counts how many of its characters are searched."""

    __slots__ = ("searched",)
    searched: int

    def find(self, sub: str, start: Any = 0, end: Any = None) -> int:
        """Search, and count the characters before the result."""
        found = super().find(sub, start, end)
        stop = len(self) if end is None else int(end)
        self.searched += (found if found >= 0 else stop) - int(start)
        return found


PATTERN = st.text("ab*", max_size=12)
NAME = st.text("ab\n", max_size=14)


@given(PATTERN, NAME)
def test_a_pattern_means_what_its_regular_expression_means(pattern: str, name: str) -> None:
    """The linear search answers as the regular expression did, whose time was not bounded."""
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert matches(pattern, name) == (re.fullmatch(expression, name, re.DOTALL) is not None)


@given(st.lists(st.text("ab/", max_size=6), max_size=6), st.text("ab/", max_size=60), st.integers(1, 40))
def test_no_character_is_searched_twice(parts: list[str], unit: str, times: int) -> None:
    """For any pattern and name, the parts together search the name at most once."""
    name = Counted(unit * times)
    name.searched = 0
    matches("*".join(parts), name)
    assert name.searched <= len(name)


STARS = ["*a*a*a*b", "*a*a*a*a", "/contoso/*/*/*/orders", "*_*_*_id", "a*ab*aab*b", "*aab*aab*c", "*/*/*/*x"]


@pytest.mark.parametrize("pattern", STARS)
@pytest.mark.parametrize("unit", ["a", "/", "_", "ab", "aab", "a/", "_a"])
def test_the_time_of_a_pattern_grows_with_the_name(pattern: str, unit: str) -> None:
    """Bait of every kind, with the pattern's own ends round it, takes time in proportion to its length."""
    first, *_, last = pattern.split("*")
    for head, tail in (("", ""), (first, "x"), (first, last), (first, last[1:])):
        assert not is_steep(
            lambda name: matches(pattern, name),
            Bait(unit, head, tail),
        )


@pytest.mark.parametrize("pattern", STARS)
def test_every_right_is_asked_for_in_linear_time(pattern: str) -> None:
    """Event types, sources and conf keys are all compared by the same search."""
    who = Verified(GUID, OTHER, is_app=True)
    entry = spec(dags=[pattern], conf=[pattern], events=[pattern], sources=[pattern])

    def ask(name: str) -> None:
        for call in (
            lambda: event_entry([entry], who, event_type=name, source=name),
            lambda: check_conf(entry, [name]),
            lambda: matches_any(entry.dags, name),
        ):
            try:
                call()
            except NotAllowed:
                continue

    for unit in ("a", "/", "_"):
        assert not is_steep(ask, Bait(unit, "/contoso/", "x"))


# Regular expressions of our own, text of anybody


def compiled() -> Iterator[tuple[str, re.Pattern[str], str]]:
    """Yield each compiled pattern that a module of shared/ holds, with how it is named and used there."""
    for found in pkgutil.walk_packages(shared.__path__, "shared."):
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            for each in patterns_in(value, 3):
                yield f"{found.name}.{name}", each, name


def patterns_in(value: object, levels: int) -> Iterator[re.Pattern[str]]:
    """Yield the patterns in a value."""
    if isinstance(value, re.Pattern):
        yield value
    elif levels and isinstance(value, tuple | list | frozenset | set):
        for each in value:
            yield from patterns_in(each, levels - 1)
    elif levels and isinstance(value, dict):
        yield from patterns_in([*value.values()], levels - 1)


def sources(folder: str) -> str:
    """Return the text of all modules of a folder."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / folder).rglob("*.py")))


PACKAGE: Final = sources("for_airflow/src")
SHARED: Final = sources("shared")
OPERATORS_TEXT: Final = {"shared.rules.readable_text._EXPRESSIONS"}
"""Patterns that see rules.yaml alone."""
WHOLE: Final = {"fullmatch": "fullmatch", "match": "match"}
"""How a pattern is used; everything else (`sub`, `split`, `findall`, …) searches."""


def expressions() -> Iterator[tuple[str, re.Pattern[str], str]]:
    """Yield each pattern of the product once, with its module and the method that uses it."""
    for where, pattern, name in compiled():
        if where in OPERATORS_TEXT:
            continue
        methods = {WHOLE.get(each, "search") for each in re.findall(rf"\b{name}\.(\w+)\(", SHARED)}
        yield from ((where, pattern, method) for method in sorted(methods) or ["fullmatch"])
    for text in (PACKAGE, SHARED):
        for method, _, written in re.findall(r"\bre\.(\w+)\(\s*(r?)(\"(?:[^\"\\\n]|\\.)*\")", text):
            used = "fullmatch" if method == "compile" else WHOLE.get(method, "search")
            with suppress(re.error):  # a part of a longer one, which a module holds whole
                yield written, re.compile(ast.literal_eval(f"r{written}")), used


def baits(pattern: str) -> Iterator[Bait]:
    """Yield texts that a pattern may choke on: its own parts, repeated, with a beginning and an end."""
    own = set(re.findall(r"[A-Za-z0-9]{2,}|[^\sA-Za-z0-9]", pattern))
    units = own | {*" aA0.-/%:\"'<{\\\n=;\0"} | {"<!--", "<title", "a.", "a/", '\\"', "%25"}
    heads = ["", *re.findall(r"[A-Za-z<{%/(\"'\-]{1,9}", pattern)[:2]]
    for unit, head, tail in product(sorted(units), heads, ("", "\0")):
        yield Bait(unit, head, tail)


EXPRESSIONS: Final = {(each.pattern, method): (where, each) for where, each, method in expressions()}


@pytest.mark.parametrize(("pattern", "method"), EXPRESSIONS, ids=[f"{n}" for n in range(len(EXPRESSIONS))])
def test_no_regular_expression_backtracks(pattern: str, method: str) -> None:
    """Every pattern of the product, also one that is new, takes time in proportion to the text."""
    where, expression = EXPRESSIONS[pattern, method]
    for bait in baits(pattern):
        assert not is_steep(getattr(expression, method), bait, 250), f"{where}: {pattern} on {bait(24)!r}"


# Messages about events


RULE = """
connections: {main: {url: "https://a.example", auth: {kind: entra, scope: s}}}
rules:
  - name: r
    when: {types: [t]}
    start: {dag: d, conf: {a: "{{ data.wanted }}", b: "{{ data.other | default('') }}"}}
"""


def test_an_events_names_are_not_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rejected event costs no `did you mean` over its own names, whose time grows with their square."""
    compared: list[object] = []

    class Matcher(difflib.SequenceMatcher[Any]):
        def set_seq1(self, a: Any) -> None:
            compared.append(a)
            super().set_seq1(a)

    monkeypatch.setattr(difflib, "SequenceMatcher", Matcher)
    rules = load_rules(RULE, file="rules.yaml", settings={})
    compared.clear()
    data: dict[str, Any] = {f"wante{number}": number for number in range(10_000)}
    (decision,) = decide(Event(id="1", source="/s", type="t", data=data), rules)
    assert decision.request is None
    assert "did you mean `wante0`" in str(decision.reason)
    assert compared == []


def test_a_message_about_a_missing_member_costs_the_same_for_any_event() -> None:
    """Names of an object are looked at up to a bound, and each up to a bound."""
    small = {f"{'k' * 100}{number}": 0 for number in range(MOST_COMPARED)}
    large = {f"{'k' * 5_000}{number}": 0 for number in range(MOST_COMPARED * GROWTH)}
    few, many = (
        seconds(lambda: missing_message(small, "k" * 99)),
        seconds(lambda: missing_message(large, "k" * 99)),
    )
    assert many < TOO_STEEP * few
    assert len(missing_message(large, "k" * 5_000)) < 2_000


@given(st.text("abC", min_size=3, max_size=8), st.integers(0, 7), st.sampled_from("abx"))
def test_a_slip_of_one_character_is_found(word: str, at: int, letter: str) -> None:
    """A character too many, too few or wrong, two that changed places, or the wrong case."""
    at = min(at, len(word) - 1)
    for slip in (
        word[:at] + letter + word[at:],
        word[:at] + letter + word[at + 1 :],
        word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :],
        word.swapcase(),
    ):
        assert slip == word or len(slip) < 3 or near_miss(slip, [word]) == f" (did you mean `{word}`?)"
    assert near_miss(word, [word]) == ""
    assert near_miss(word, ["something else"]) == ""


# Rates


@pytest.fixture
def rates(clock: UnixClock) -> Rates:
    """The rates of one instance."""
    return Rates(clock)


def callers_of(rates: Rates, callers: Iterable[Any], who: Verified) -> Callers:
    """Return a verifier that accepts every token as this identity."""
    known: Any = SimpleNamespace(callers=callers)
    verifier: Any = SimpleNamespace(verify=lambda _: who)
    return Callers(lambda: known, lambda: verifier, rates)


def refuse(rates: Rates, callers: Iterable[Any], who: Verified, status: int = 400) -> CallRefused:
    """Return the answer to a request that is refused for another reason."""

    def call() -> None:
        with callers_of(rates, callers, who).admitted(Request({"authorization": "Bearer x"})):
            raise CallRefused(status, "bad_body", "for a reason of its own")

    return refusal(call)


def test_refusals_take_from_the_rate(rates: Rates, clock: UnixClock) -> None:
    """Refused requests and those that are carried out share one bucket, which fills again."""
    who, entry = Verified(GUID, OTHER, is_app=True), spec(rate="3/m")
    rates.spend(entry, who)
    assert [refuse(rates, [entry], who).status for _ in range(4)] == [400, 400, 429, 429]
    assert refusal(lambda: rates.spend(entry, who)).status == 429
    clock.now += 20
    rates.spend(entry, who)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_is_not_the_callers_fault_is_free(rates: Rates, status: int) -> None:
    """An answer "too many" or "try again" takes nothing: who tries again has to get through."""
    who, entry = Verified(GUID, OTHER, is_app=True), spec(rate="1/h")
    assert [refuse(rates, [entry], who, status).status for _ in range(3)] == [status] * 3
    rates.spend(entry, who)


def test_an_identity_with_two_entries_may_go_on_with_one(rates: Rates) -> None:
    """It is accepted while one entry's bucket is not empty, and a refusal takes from each."""
    who, slow, fast = Verified(GUID, OTHER, is_app=True), spec(rate="1/h"), spec(name="two", rate="3/h")
    assert [refuse(rates, [slow, fast], who).status for _ in range(4)] == [400, 400, 400, 429]


def test_nobody_has_a_rate_too(rates: Rates) -> None:
    """An identity without an entry is bounded, and pushes no caller's bucket out."""
    who, entry = Verified(GUID, OTHER, is_app=True), spec(rate="1/h")
    rates.spend(entry, who)
    unknown = Verified(OTHER, OTHER, is_app=True)
    assert [refuse(rates, [entry], unknown, 403).status for _ in range(62)] == [403] * 60 + [429] * 2
    for number in range(11_000):
        refuse(rates, [entry], Verified(str(number), OTHER, is_app=True), 403)
    assert len(rates._without_entry) <= 10_001
    assert refusal(lambda: rates.spend(entry, who)).status == 429


def test_a_refused_question_for_the_status_takes_from_the_rate(rates: Rates) -> None:
    """Refused requests for the status count against the rate, as at every other endpoint."""
    who, entry = Verified(GUID, OTHER, is_app=True), spec(rate="2/h")
    endpoint = StatusEndpoint(callers_of(rates, [entry], who), status=dict)
    request = Request({"authorization": "Bearer x"})
    assert [refusal(lambda: endpoint.read(request)).status for _ in range(3)] == [403, 403, 429]


def test_a_run_has_a_rate_of_its_own(rates: Rates) -> None:
    """A reader of a run's token in Airflow can send only sixty reports a minute with it."""
    run = RunRef("c", "d", "r")
    for _ in range(60):
        rates.spend_run(run)
    assert refusal(lambda: rates.spend_run(run)).status == 429
    rates.spend_run(RunRef("c", "d", "r2"))


# On the wire


PATHS = ["dags/smoke_tests/runs", "events", "outcomes"]
BODIES: dict[str, tuple[bytes, str]] = {
    "too large": (b'{"a": "' + b"x" * 1_900_000 + b'"}', "application/json"),
    "no JSON": (b"{" * 50_000, "application/json"),
    "deep": (b"[" * 100_000 + b"]" * 100_000, "application/json"),
    "another type": (b"x", "text/plain"),
    "many events": (b"[" + b"{}," * 5_000 + b"{}]", "application/cloudevents-batch+json"),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", BODIES)
def test_a_body_without_a_right_is_not_read(caller: Caller, path: str, body: str) -> None:
    """Any body without a permission has the same answer as an empty body."""
    content, media_type = BODIES[body]
    tokens: list[tuple[str | None, int]] = [(None, 401), ("x.y.z", 401), (caller.token(STRANGER), 403)]
    if path != "events":
        tokens.append((caller.token(AGENT), 403))  # it has a right, but none for this
    for token, status in tokens:
        assert caller.post(path, token, content, Content_Type=media_type).status_code == status


@pytest.mark.parametrize("size", [LARGEST_BODY + 1, 2 * LARGEST_BODY])
@pytest.mark.parametrize(
    "path", ["api/events", "api/dags/x/runs", "api/outcomes", "api/hooks/github", "api/health"]
)
def test_a_body_above_the_limit_never_reaches_the_app(
    caller: Caller, path: str, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The host answers 413 by the length, or while it counts if there is no length."""
    for chunked in (False, True):
        wire = http.client.HTTPConnection(urlsplit(caller.host.url).netloc, timeout=30)
        headers = {"Content-Type": "application/json"}
        body: Any = iter([b"x" * size]) if chunked else b"x" * size
        wire.request(
            "GET" if path.endswith("health") else "POST", f"/{path}", body, headers, encode_chunked=chunked
        )
        answer = wire.getresponse()
        assert (
            answer.status,
            answer.getheader("Content-Type", "").partition(";")[0] == "application/problem+json",
        ) == (
            413,
            False,
        )
        wire.close()
    assert not [record for record in caplog.records if "Executing" in record.getMessage()]


def test_the_largest_body_that_is_taken_reaches_the_app(caller: Caller) -> None:
    """The limit is above every limit of the app, so that the app's own answer names what is too large."""
    answer = caller.post(
        "events", caller.token(AGENT), b"x" * (LARGEST_BODY - 1), Content_Type="application/json"
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_refused_calls_use_the_rate_up(caller: Caller) -> None:
    """Two refused calls of a caller with 2/h are all that it has; then its body is not read, however good."""
    token = caller.token(STRANGER, groups=[GROUP])
    assert caller.start("any", token, b"{").status_code == 400
    assert caller.start("any", token, {"conf": {"_updraft": 1}}).status_code == 400
    answer = caller.start("any", token, {})
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_exceeded")
    assert int(answer.headers["Retry-After"]) > 60
    assert caller.start("any", token, b"{").status_code == 429
    assert not caller.stub.runs


@pytest.fixture
def sixty_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the rate of those without an entry one that does not refill during a test on a slow machine."""
    assert permissions.WITHOUT_ENTRY == "60/m"
    monkeypatch.setattr(permissions, "WITHOUT_ENTRY", "60/h")


def test_an_unknown_identity_of_the_tenant_is_bounded(caller: Caller, sixty_an_hour: None) -> None:
    """An identity that no entry is about has sixty refusals a minute over all endpoints together."""
    token = caller.token(STRANGER)
    statuses = [caller.post(PATHS[number % 3], token, {}).status_code for number in range(66)]
    assert statuses[:60] == [403] * 60
    assert statuses[60:] == [429] * 6


EVENT = {"specversion": "1.0", "id": "1", "source": "/shops/1", "type": "Shop.Opened"}


@pytest.mark.parametrize(
    ("attribute", "most"), [("id", 1_024), ("source", 1_024), ("type", 1_024), ("subject", 2_048)]
)
def test_long_attributes_are_refused_before_they_are_compared(
    caller: Caller, attribute: str, most: int
) -> None:
    """One character above the limit is 400, and names the attribute."""
    begin = {"source": "/shops/", "type": "shop."}.get(attribute, "")
    event = EVENT | {"type": "Shop.Unknown"}
    for length, status in ((most, 202), (most + 1, 400), (8_192, 400)):
        event |= {attribute: begin + "/" * (length - len(begin))}
        answer = caller.post("events", caller.token(AGENT), event)
        assert answer.status_code == status, answer.text
    assert attribute in answer.json()["detail"]


def test_long_conf_keys_are_refused_before_they_are_compared(caller: Caller) -> None:
    """A key of conf has 255 characters at most."""
    for length, code in ((255, "conf_not_allowed"), (256, "bad_body"), (40_000, "bad_body")):
        assert caller.start(body={"conf": {"_" * length: 1}}).json()["code"] == code


def test_bait_for_patterns_costs_no_more_than_other_text(caller: Caller) -> None:
    """A batch of events with sources made of slashes takes about as long as one with other sources."""
    token = caller.token(AGENT)

    def send(source: str) -> Callable[[], object]:
        batch = [EVENT | {"id": str(number), "source": source, "type": "No.Right"} for number in range(100)]
        body = json.dumps(batch).encode()
        return lambda: caller.post("events", token, body, Content_Type="application/cloudevents-batch+json")

    assert seconds(send("/shops/" + "/" * 1_000), 3) < TOO_STEEP * seconds(send("/shops/" + "ab" * 500), 3)
    assert caller.answers[-1].status_code == 403


@pytest.mark.parametrize("body", [b"{", b'{"run": 1}', b"x" * 20_000])
def test_a_runs_own_token_is_bounded_too(caller: Caller, body: bytes, sixty_an_hour: None) -> None:
    """Sixty bad reports of one run are read, and the next is not."""
    caller.post("events", caller.token(AGENT), EVENT | {"data": {"door": "front"}})
    token = caller.reverse_token()
    statuses = [caller.post("outcomes", token, body).status_code for _ in range(62)]
    assert set(statuses[:60]) <= {400, 413}
    assert 429 in statuses[60:]
    caller.post("outcomes", caller.token(AIRFLOW), {})
