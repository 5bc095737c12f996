"""Addresses: those that are refused without a request, and what to write instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.values.invisible import named
from shared.values.urls import check_address, check_airflow_path, check_vault_address
from tests.values.test_invisible import UNSEEN

EXAMPLE = "https://airflow.example"


def refusal(url: str) -> str:
    """Return why an address is refused."""
    with pytest.raises(ValueError, match="`url`") as caught:
        check_address(url, name="url", example=EXAMPLE, allow_http=False)
    return str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://airflow.example",
        "HTTPS://Airflow.Example:8443/base/",
        "https://airflow",
        "https://air_flow.namespace.svc.cluster.local.",
        "https://airflow.münchen.example",
        "https://[2001:db8::1]:8080",
        "https://10.0.0.1",
        "http://localhost:8080",
        "http://127.0.0.1:8080",
        "https://proxy.example/caf%C3%A9",
        "%URL%",
        "https://%HOST%/x",
    ],
)
def test_an_address_is_accepted(url: str) -> None:
    """Names, numbers, ports, paths and settings are allowed in it."""
    check_address(url, name="url", example=EXAMPLE, allow_http=False)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("airflow.example", "is not an address"),
        ("ftp://airflow.example", "is not an address"),
        ("%URL", "`%NAME%`, with both signs"),
        ("URL%", "`%NAME%`, with both signs"),
        ("https://", "is not an address"),
        ("https:\\\\airflow.example", "is not an address"),
        ("https://air flow.example", "a blank: `https://air␣flow.example`"),
        ("https://airflow.example/a b", "a blank"),
        (" https://airflow.example", "a blank"),
        ("https://<your airflow>", "a blank"),
        ("https://<airflow>", "the host `<airflow>`, which is not a host name"),
        ("https://%20airflow", "which is not a host name"),
        ("https://a..example", "which is not a host name"),
        ("https://-a.example", "which is not a host name"),
        (f"https://{'a' * 64}.example", "which is not a host name"),
        ("https://a,b", "which is not a host name"),
        ("https://airflow.example:port", "not an address"),
        ("https://airflow.example:99999", "not an address"),
        ("https://[::1", "not an address"),
        ("https://airflow.example/%ZZ", "`/%ZZ`, in which a `%`"),
        ("https://airflow.example/100%", "in which a `%`"),
        ("https://airflow.example?x=1", "has a `?`"),
        ("https://u:p@airflow.example", "user name or password"),
        ("http://airflow.example", "write https://"),
    ],
)
def test_what_is_not_an_address_is_refused(url: str, says: str) -> None:
    """The reason names the part that is wrong."""
    assert says in refusal(url)


@pytest.mark.parametrize("character", UNSEEN, ids=named)
@pytest.mark.parametrize(
    "place", ["https://air{}flow.example", "https://airflow.example/a{}b", "{}https://a.b"]
)
def test_what_nobody_sees_is_named(character: str, place: str) -> None:
    """An invisible character anywhere in an address is refused and named: urlsplit drops some of them."""
    assert named(character) in refusal(place.format(character))


def test_a_password_in_an_address_is_not_repeated() -> None:
    """A message never shows what may be a password."""
    assert "hidden" not in refusal("https://u:hid den@airflow.example")
    assert "hidden" not in refusal("https://u:hidden@airflow.example")


@pytest.mark.parametrize(
    "end",
    [
        *("/api/v1", "/api/v2", "/api/v2/", "/API/V2", "//api/v2", "/api/v1/dags", "/api/v2/version"),
        *("/api/experimental", "/home", "/home/", "/docs", "/redoc", "/login/", "/login/?next=x", "/logout"),
        *("/auth", "/auth/login", "/auth/login/", "/auth/token", "/dags", "/dags/smoke/grid", "/dag_runs"),
        *("/ui", "/health", "/openapi.json", "/swagger", "/home#x", "/execution"),
    ],
)
@pytest.mark.parametrize("base", ["https://airflow.example", "https://proxy.example/team/airflow", "%URL%"])
def test_a_page_or_an_api_of_airflow_is_not_its_address(base: str, end: str) -> None:
    """An address copied from a browser is refused with the address to write, with or without settings."""
    with pytest.raises(ValueError, match="`url` ends with") as caught:
        check_airflow_path(base + end, name="url")
    assert str(caught.value).endswith(f"write {base}")


@given(
    path=st.lists(
        st.sampled_from(["airflow", "team", "homes", "api", "v2", "docs-site", "my-home"]), max_size=3
    )
)
def test_a_path_of_ones_own_is_kept(path: list[str]) -> None:
    """A proxy may serve an Airflow below any path that is not a path of Airflow."""
    if "v2" not in path:
        check_airflow_path("/".join(["https://proxy.example", *path]), name="url")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://contoso.vault.azure.net", "write https://"),
        ("http://127.0.0.1", "write https://"),
        ("contoso.vault.azure.net", "is not an address"),
        ("https://contoso.vault.azure.net/secrets/x", "write https://contoso.vault.azure.net"),
        ("https://con toso.vault.azure.net", "a blank"),
    ],
)
def test_a_vaults_address_is_its_host(url: str, says: str) -> None:
    """A vault needs https, and the address of a secret is not the vault's."""
    with pytest.raises(ValueError, match=r"`vault`") as caught:
        check_vault_address(url, name="vault")
    assert says in str(caught.value)


def test_a_vaults_address_may_end_with_a_slash() -> None:
    """Azure shows it so."""
    check_vault_address("https://contoso.vault.azure.net/", name="vault")
    check_vault_address("%VAULT%", name="vault")
