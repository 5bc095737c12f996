"""Reading a conf by reference: the token for Storage is sent only to listed containers."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hostile_addresses import LOOPBACK, look_alikes
from hypothesis import given
from hypothesis import strategies as st
from sink import Said, Sink, make_certificate, running_sink

pytest.importorskip("airflow", reason="needs Airflow")

from updraft_airflow.callback import CallbackError, Patience
from updraft_airflow.whole_conf import WholeConfError, completed, whole_conf

TOKEN = "made-up-token-for-storage"
QUICK = Patience(attempts=3, timeout=2.0, first_delay=0.001, longest_delay=0.01)
BLOB = f"refresh-reports/confs/{'a' * 32}.json"
EVENTS = [{"type": "A"}, {"type": "B"}]


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """A blob service over TLS that answers with a whole conf."""
    certificate = make_certificate(tmp_path / "server.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with running_sink(certificate) as sink:
        sink.answer = Said(body=json.dumps({"site": "shop", "events": EVENTS, "_updraft": {}}).encode())
        yield sink


def conf_of(url: object, members: object = ("events",)) -> dict[str, Any]:
    """Return a run's conf that refers to a blob."""
    members = list(members) if isinstance(members, tuple) else members
    return {"site": "shop", "_updraft": {"rule": "r", "by_reference": {"url": url, "members": members}}}


def read(conf: Any, *containers: str) -> dict[str, Any]:
    """Complete a conf with a token of our own."""
    return completed(conf, containers=containers, own_token=lambda: TOKEN, patience=QUICK)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_listed_containers_blob_is_read(storage: Sink, slash: str) -> None:
    """With the token and the headers that Storage asks for; the run's own conf stays."""
    container = f"{storage.url}/devstoreaccount1/updraft-windows"
    conf = conf_of(f"{container}/{BLOB}")
    assert read(conf, "https://other.example/updraft-windows", container + slash) == conf | {"events": EVENTS}
    [got] = storage.got
    assert (got.method, got.path) == ("GET", f"/devstoreaccount1/updraft-windows/{BLOB}")
    assert got.headers["authorization"] == f"Bearer {TOKEN}"
    assert got.headers["x-ms-version"] == "2021-08-06"
    assert got.headers["x-ms-date"].endswith("GMT")


@pytest.mark.parametrize(
    "conf", [None, {}, {"site": "shop"}, {"_updraft": None}, {"_updraft": {"rule": "r"}}]
)
def test_a_conf_that_is_whole_stays(conf: Mapping[str, Any] | None) -> None:
    """Nothing is asked, and no option is needed."""
    assert completed(conf, containers=(), own_token=lambda: pytest.fail("asked"), patience=QUICK) == (
        conf or {}
    )
    assert whole_conf(conf) == (conf or {})


def test_the_options_of_airflow_are_read(storage: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """`[updraft] windows_urls`, and the process's own identity; without the option nobody is asked."""
    monkeypatch.setattr("updraft_airflow.whole_conf.entra_token", lambda scope: f"for {scope}")
    conf = conf_of(f"{storage.url}/updraft-windows/{BLOB}")
    line = f"[updraft] in airflow.cfg: windows_urls = {storage.url}/updraft-windows"
    with pytest.raises(WholeConfError) as refused:
        whole_conf(conf, patience=QUICK)
    assert str(refused.value).endswith(line)
    assert storage.got == []
    monkeypatch.setenv("AIRFLOW__UPDRAFT__WINDOWS_URLS", line.rpartition(" = ")[2])
    assert whole_conf(conf, patience=QUICK)["events"] == EVENTS
    assert storage.got[0].headers["authorization"] == "Bearer for https://storage.azure.com/.default"


LISTED = "https://contoso.blob.core.windows.net/updraft-windows"


def hostile(listed: str) -> list[str]:
    """Return addresses that are not of a conf's blob in the listed container."""
    scheme, _, rest = listed.partition("://")
    host, _, container = rest.partition("/")
    return [
        *look_alikes(host, scheme, f"/{container}/{BLOB}"),
        f"{scheme}://{host.upper()}/{container}/{BLOB}",
        f"{scheme}://{host}:443/{container}/{BLOB}",
        *(
            f"{scheme}://{host}/{name}"
            for name in (
                f"{container}2/{BLOB}",
                f"{container}/../secrets/{BLOB}",
                f"{container}/x/{BLOB}",
                f"{container}//{BLOB}",
                f"{container}/{BLOB}/../../../../secrets",
                f"{container}/{BLOB}?comp=metadata",
                f"{container}/{BLOB}?sig=x",
                f"{container}/{BLOB}#x",
                f"{container}/{BLOB}\n",
                f"{container}/{BLOB}\\..",
                f"{container}%2f{BLOB}",
                f"{container}\\{BLOB}",
                f"{container}/{BLOB.replace('/', '%2f')}",
                f"{container}/{BLOB.replace('confs', 'windows')}",
                f"{container}/refresh-reports/windows/{'a' * 32}",
                f"{container}/../{BLOB}",
                f"{container}/%2e%2e/confs/{'a' * 32}.json",
                f"{container}/./confs/{'a' * 32}.json",
                f"{container}/r/confs/..json",
                f"{container}/r/confs/../x.json",
                f"{container}/https://evil.example/{BLOB}",
                f"{container}@evil.example/{BLOB}",
                f"{container}/",
                f"{container}",
                BLOB,
                "",
            )
        ),
    ]


@pytest.mark.parametrize("url", sorted(hostile(LISTED)))
def test_no_token_is_asked_for_another_address(url: str) -> None:
    """However much it looks like the listed container; the error names the option or the member."""
    with pytest.raises(WholeConfError, match=r"windows_urls|by_reference\.url"):
        completed(conf_of(url), containers=[LISTED], own_token=lambda: pytest.fail("asked"), patience=QUICK)


@pytest.mark.parametrize("allowed", ["nothing", "another", "this machine by another name"])
def test_nothing_arrives_at_an_address_out_of_a_conf(storage: Sink, allowed: str) -> None:
    """On the wire: the address of the conf is not asked, also where it would answer well."""
    port = storage.server_port
    listed = {
        "nothing": [],
        "another": [LISTED],
        "this machine by another name": [f"https://localhost:{port}/updraft-windows"],
    }[allowed]
    urls = [f"https://{host}:{port}/updraft-windows/{BLOB}" for host in ("127.0.0.1", *LOOPBACK)]
    urls += [url.replace("https", "http", 1) for url in urls]
    for url in urls:
        if listed and url.startswith(f"{listed[0]}/"):
            continue
        with pytest.raises(WholeConfError):
            read(conf_of(url), *listed)
    assert storage.got == []


@given(st.text(max_size=40), st.text(max_size=40))
def test_only_the_listed_address_is_ever_asked(before: str, after: str) -> None:
    """With any text before or after: a token is requested only if the whole address has the form."""
    asked = []

    def own_token() -> str:
        asked.append(True)
        raise CallbackError("enough", permanent=True)

    url = f"{before}{LISTED}/{BLOB}{after}"
    with pytest.raises(WholeConfError):
        completed(conf_of(url), containers=[LISTED], own_token=own_token, patience=QUICK)
    assert asked == ([True] if not before and not after else [])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["url", "members", "x"]), inner),
    )
)
def test_any_reference_is_read_without_a_crash(reference: Any) -> None:
    """No request is sent to an address that only the conf names."""
    try:
        completed(
            {"_updraft": {"by_reference": reference}},
            containers=[LISTED],
            own_token=lambda: pytest.fail("asked"),
            patience=QUICK,
        )
    except WholeConfError:
        return
    assert reference is None


@pytest.mark.parametrize(
    "members", [None, "events", [7], [["events"]], ["_updraft"], ["site", "_updraft"], {}]
)
def test_the_members_are_names_of_the_confs_own(storage: Sink, members: object) -> None:
    """`_updraft` says who started the run, and is never replaced; nothing is asked."""
    with pytest.raises(WholeConfError, match="members"):
        read(conf_of(f"{storage.url}/updraft-windows/{BLOB}", members), f"{storage.url}/updraft-windows")
    assert storage.got == []


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_takes_the_token_nowhere(storage: Sink, tmp_path: Path, status: int) -> None:
    """Neither to another server nor to another path of this one."""
    container = f"{storage.url}/updraft-windows"
    with running_sink(make_certificate(tmp_path / "other.pem")) as other, running_sink() as plain:
        for target in (f"{other.url}/{BLOB}", f"{plain.url}/{BLOB}", f"/secrets/{BLOB}"):
            storage.got.clear()
            storage.answer = Said(status, headers={"Location": target})
            with pytest.raises(WholeConfError, match="redirects are not followed"):
                read(conf_of(f"{container}/{BLOB}"), container)
            assert len(storage.got) == 1
        assert other.got == plain.got == []


def test_a_challenge_does_not_change_the_token(storage: Sink) -> None:
    """A 401 that names another authority or resource ends the reading, with one request."""
    container = f"{storage.url}/updraft-windows"
    storage.answer = Said(
        401,
        headers={
            "WWW-Authenticate": "Bearer authorization_uri=https://evil.example/t/oauth2/authorize"
            " resource_id=https://vault.azure.net"
        },
    )
    with pytest.raises(WholeConfError, match="answered 401") as refused:
        read(conf_of(f"{container}/{BLOB}"), container)
    assert len(storage.got) == 1
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    ("said", "requests", "words"),
    [
        (Said(403), 1, "Storage Blob Data Reader"),
        (Said(404), 1, "does not exist"),
        (Said(503, headers={"Retry-After": "99"}), 3, "answered 503"),
        (Said(429), 3, "answered 429"),
        (Said(body=b"<html>"), 1, "not a JSON object"),
        (Said(body=b"[" * 100_000), 1, "not a JSON object"),
        (Said(body=b"[]"), 1, "not a JSON object"),
        (Said(body=b'{"site": 1}'), 1, "lacks events"),
    ],
)
def test_what_storage_answers_is_told(storage: Sink, said: Said, requests: int, words: str) -> None:
    """With the remedy, never with the token; what may pass is tried again."""
    container = f"{storage.url}/updraft-windows"
    storage.answer = said
    with pytest.raises(WholeConfError, match=words) as failed:
        read(conf_of(f"{container}/{BLOB}"), container)
    assert len(storage.got) == requests
    assert TOKEN not in str(failed.value)


def test_an_answer_without_an_end_is_not_read(storage: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is bounded."""
    monkeypatch.setattr("updraft_airflow.whole_conf.LARGEST", 10)
    container = f"{storage.url}/updraft-windows"
    with pytest.raises(WholeConfError, match="more than 10 bytes"):
        read(conf_of(f"{container}/{BLOB}"), container)


@pytest.mark.parametrize(
    "container",
    [
        "https://contoso.blob.core.windows.net",
        "https://contoso.blob.core.windows.net/",
        "http://127.0.0.1:10000/updraft-windows",
        "contoso/updraft-windows",
        "https://contoso.blob.core.windows.net/updraft-windows?sv=1",
        "https://user@contoso.blob.core.windows.net/updraft-windows",
        "https://contoso.blob.core.windows.net/../updraft-windows",
    ],
)
def test_a_listed_container_that_cannot_be_used_is_named(container: str) -> None:
    """The token travels there: https, and a container's whole address."""
    with pytest.raises(WholeConfError, match="windows_urls"):
        read(conf_of(f"{LISTED}/{BLOB}"), container)
