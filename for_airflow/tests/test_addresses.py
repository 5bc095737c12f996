"""No report and no token of this Airflow goes to an address that only a run's conf names."""

import re
from typing import Any
from urllib.parse import unquote

import pytest
from hostile_addresses import BELOW, HOST, LISTED, LOOPBACK, look_alikes
from hypothesis import given
from hypothesis import strategies as st
from sink import Said, running_sink
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from updraft_airflow.addresses import is_below, listed, refusal
from updraft_airflow.callback import Callback, CallbackError, Patience, RunReport, read_callback, send_report
from updraft_airflow.wire import WireError, checked_url, origin

TOKEN = "made-up.reverse.token"
QUICK = Patience(attempts=1, timeout=2.0)
REPORT = RunReport("smoke_tests", "rule__1", "failed", None, None)


@pytest.mark.parametrize("url", BELOW)
def test_what_is_listed_is_called(url: str) -> None:
    """The address itself, and what is below it."""
    assert is_below(url, LISTED)
    assert refusal(url, [LISTED], option="callback_urls") is None


@pytest.mark.parametrize("url", sorted(look_alikes()))
def test_a_look_alike_is_not_listed(url: str) -> None:
    """Another user, port, host, spelling of the host or path, or a path that another program reads anew."""
    assert not is_below(url, LISTED)


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(LISTED) + 9),
            st.integers(0, 2),
            st.sampled_from(
                [*"/\\@:#?.%;, \t\n[]{}|^a0", "..", "//", "%2e", "%2f", "%5c", "evil.example", "\uff0e"]
            )
            | st.characters(),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_taken_is_below_for_every_reader(changes: list[tuple[int, int, str]]) -> None:
    """However a listed address is changed: where it is still taken, another reader finds the same host."""
    url = f"{LISTED}/outcomes"
    for at, cut, put in changes:
        url = url[:at] + put + url[at + cut :]
    if not is_below(url, LISTED):
        return
    try:
        read = parse_url(url)
    except LocationParseError:
        pytest.fail(f"{url!r} is taken, and cannot be read")
    assert (read.scheme, read.auth, read.host, read.port or 443) == ("https", None, HOST, 443)
    path = unquote(read.path or "")
    assert path.startswith("/api/") or path == "/api"
    assert ".." not in path.split("/")


@pytest.mark.parametrize("url", sorted(look_alikes()))
def test_one_origin_means_one_host_for_every_reader(url: str) -> None:
    """`jwks_uri` is compared by its origin: an address of the authority's origin leads to the authority."""
    try:
        same = origin(checked_url(url, what="url")) == origin(LISTED)
    except WireError:
        same = False
    if same:
        read = parse_url(url)
        assert (read.scheme, read.auth, read.host, read.port or 443) == ("https", None, HOST, 443)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_has_to_be_listed_as_it_is_written(host: str, scheme: str) -> None:
    """Each way to write this machine's address is an address of its own: nothing arrives."""
    with running_sink() as sink:
        url = f"{scheme}://{host}:{sink.server_port}/api/outcomes"
        for allowed in ([], [f"{sink.url}/api"], [LISTED], [f"https://127.0.0.1:{sink.server_port}"]):
            with pytest.raises(CallbackError):
                send_from_conf({"url": url, "token": TOKEN}, allowed)
        if host.lower() != "localhost":  # the same name in two cases is one host
            assert not is_below(url, f"{scheme}://localhost:{sink.server_port}")
        assert sink.got == []


def send_from_conf(callback: object, allowed: list[str]) -> None:
    """Report as a task does for a run with this callback in its conf."""
    found = read_callback({"_updraft": {"callback": callback}})
    assert found is not None
    send_report(found, REPORT, allowed=allowed, own_token=lambda: "own-token", patience=QUICK)


@pytest.mark.parametrize("token", [TOKEN, None])
@pytest.mark.parametrize("path", ["/quitquitquit", "/v1.0/invoke/x", "/api/outcomes"])
def test_without_the_option_nothing_is_called(path: str, token: str | None) -> None:
    """Neither a service of the worker's machine nor another host; the error has the line to paste."""
    with running_sink() as sink:
        callback = {"url": sink.url + path} | ({"token": token} if token else {})
        with pytest.raises(CallbackError) as refused:
            send_from_conf(callback, [])
        assert sink.got == []
    assert refused.value.permanent
    assert f"[updraft] in airflow.cfg: callback_urls = {sink.url}{path}" in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_the_line_to_paste_keeps_what_is_listed() -> None:
    """And has neither the query, which may hold a key, nor the fragment."""
    reason = refusal("https://other.example/api?code=k#f", [LISTED], option="callback_urls")
    assert reason is not None
    assert reason.endswith(f"callback_urls = {LISTED}, https://other.example/api")
    line = reason.rpartition(" = ")[2]
    assert is_below("https://other.example/api?code=k", listed(line)[1])


@pytest.mark.parametrize(
    "prefix",
    [
        "updraft.example/api",
        "http://updraft.example/api",
        "https://user@updraft.example/",
        "https://updraft.example/api?code=1",
        "https://updraft.example/api#x",
        "https://updraft.example//api",
        "https://updraft.example/../api",
        "https://updraft.example/%61pi",
        "*",
        "https://",
    ],
)
def test_a_listed_address_that_cannot_be_used_is_named(prefix: str) -> None:
    """An unusable listed address is an error, also next to usable ones."""
    with pytest.raises(WireError, match=re.escape("[updraft] callback_urls")):
        refusal(BELOW[0], [LISTED, prefix], option="callback_urls")
    with pytest.raises(CallbackError, match="callback_urls") as refused:
        send_report(Callback(BELOW[0], TOKEN), REPORT, allowed=[prefix], patience=QUICK)
    assert refused.value.permanent
    assert not is_below(BELOW[0], prefix)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("token", [TOKEN, None])
def test_a_listed_address_sends_no_token_elsewhere(status: int, token: Any) -> None:
    """A redirect to another server, or to another path of the same one, is not followed."""
    with running_sink() as listed_one, running_sink() as elsewhere:
        for target in (elsewhere.url, f"//127.0.0.1:{elsewhere.server_port}/", "/other"):
            listed_one.got.clear()
            listed_one.answer = Said(status, headers={"Location": target})
            with pytest.raises(CallbackError, match="redirects are not followed"):
                send_from_conf(
                    {"url": f"{listed_one.url}/api"} | ({"token": token} if token else {}), [listed_one.url]
                )
            assert [got.path for got in listed_one.got] == ["/api"]
        assert elsewhere.got == []
