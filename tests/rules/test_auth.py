"""The kinds of `auth` in rules.yaml, and combinations that cannot work."""

import pytest

from shared.errors import RulesError
from shared.rules import Rules, load_rules
from shared.rules.model.auth import KINDS

ENTRA = "{kind: entra, scope: s}"
PROXY = "{kind: entra, scope: s, header: X-Proxy}"
RULE = "{name: r, when: {types: [t]}, start: {dag: d, run_after: '{{ time }}'}}"
OIDC = "kind: oidc, client_id: c, token_url: 'https://login.example/token'"
GOOGLE = "kind: google, audience: a, service_account: sa, scope: s"
AWS = (
    "kind: aws, environment: e, region: eu-central-1, scope: s, "
    "role_arn: 'arn:aws:iam::123456789012:role/updraft'"
)


def load(connection: str, *, rules: str = "", vaults: str = "") -> Rules:
    """Load a file with one connection."""
    main = f"{{url: 'https://airflow.example', {connection}}}"
    text = f"{vaults}\nconnections: {{main: {main}}}\nrules: [{rules}]\n"
    return load_rules(text, file="rules.yaml", settings={"PARTNER": "https://partner.vault.azure.net"})


def problems(connection: str, *, rules: str = "", vaults: str = "") -> str:
    """Return all problems of a file with one connection."""
    with pytest.raises(RulesError) as caught:
        load(connection, rules=rules, vaults=vaults)
    return str(caught.value)


@pytest.mark.parametrize(
    "auth",
    [
        ENTRA,
        "{kind: entra_exchange, scope: s, client_id: c}",
        "{kind: airflow, username: u, password_secret: p}",
        f"{{{OIDC}}}",
        f"{{{OIDC}, assertion_scope: s, identity_client_id: i}}",
        f"{{{OIDC}, client_secret_secret: s, scope: s}}",
        "{kind: bearer, token_secret: t}",
        "{kind: basic, username_secret: u, password_secret: p}",
        f"{{{GOOGLE}}}",
        f"{{{AWS}}}",
        f"{{{AWS}, header: Authorization, sts_url: null}}",
        f"{{{AWS}, client_id: c, sts_url: 'https://vpce.example'}}",
    ],
)
def test_every_kind_loads(auth: str) -> None:
    """Each kind loads as its own class."""
    (found,) = load(f"auth: {auth}").connections["main"].auths
    assert isinstance(found, KINDS[found.kind])


def test_two_kinds_load_in_the_files_order() -> None:
    """A list of two has two headers."""
    auths = load(f"auth: [{PROXY}, {ENTRA}]").connections["main"].auths
    assert [auth.header for auth in auths] == ["X-Proxy", "Authorization"]


def test_doctor_names_the_resource_of_an_entra_token() -> None:
    """The scope distinguishes tokens; the header is named only if Airflow itself does not read it."""
    auths = load(f"auth: [{PROXY}, {ENTRA}]").connections["main"].auths
    assert [auth.credential_text for auth in auths] == [
        "a token for s, in the header X-Proxy",
        "a token for s",
    ]


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        (f"auth: [{ENTRA}, {ENTRA}]", "share the header `authorization`"),
        (f"auth: [{{{AWS}}}, {PROXY}]", "`kind: aws` cannot be combined"),
        (f"auth: {{{AWS}, header: X-Other}}", "AWS's signature is in Authorization"),
        (f"auth: {{{AWS}, sts_url: 'http://sts.example'}}", "`sts_url` begins with http://; write https://"),
        (
            f"auth: {{{AWS.replace('eu-central-1', 'Frankfurt')}}}",
            "`Frankfurt` is not allowed as `region`; write a value such as `eu-central-1`",
        ),
        (
            f"auth: {{{AWS.replace('arn:aws:iam', 'arn:aws:sts')}}}",
            "is not allowed as `role_arn`; write a value such as `arn:aws:iam::",
        ),
        (f"auth: {{{AWS.replace('environment: e', 'environment: e/f')}}}", "is not allowed as `environment`"),
        (f"vault: v, auth: {{{AWS}}}", "`vault` has no effect"),
        ("auth: []", "must not be empty"),
        (f"auth: [{ENTRA}, {PROXY}, {PROXY}]", "at most 2 members"),
        ("auth: {kind: entra, scope: s, header: Host}", "is part of every request"),
        ("auth: {kind: entra, scope: s, header: 'X Y'}", "is not allowed here"),
        (f"auth: [{PROXY}, {{kind: entra, scop: s}}]", "connections.main.auth[1]: unknown key `scop`"),
        (f"auth: [{PROXY}, {{kind: oidcs}}]", "did you mean `oidc`?"),
        ("api: v1, auth: {kind: entra_exchange, scope: s}", "`api: v1` and `kind: entra_exchange` exclude"),
        ("api: v1, auth: {kind: airflow, username: u, password_secret: p}", "write `kind: basic`"),
        (f"api: v1, auth: {{{OIDC}, exchange: true}}", "`api: v1` and `exchange` exclude"),
        (f"auth: {{{OIDC}, client_secret_secret: s, assertion_scope: s}}", "a client has one credential"),
        (
            "auth: {kind: oidc, client_id: c, token_url: 'http://login.example'}",
            "begins with http://; write https://",
        ),
        ("auth: {kind: oidc, client_id: c, token_url: login}", "is not an address; write one such as"),
        (f"auth: {{{GOOGLE}, sts_url: 'http://sts.example'}}", "begins with http://; write https://"),
        ("auth: {kind: basic, password_secret: p}", "either `username` or `username_secret`"),
        ("auth: {kind: bearer}", "`token_secret` is missing"),
        (f"auth: {ENTRA}, vault: partner", "`vault` has no effect"),
        ("auth: {kind: bearer, token_secret: t}, vault: partnr", "did you mean `partner`?"),
    ],
)
def test_what_cannot_work_is_named(connection: str, message: str) -> None:
    """Each error has its position, and what to write."""
    found = problems(connection, vaults="vaults: {partner: 'https://partner.vault.azure.net'}")
    assert message in found, found
    assert found.startswith("rules.yaml:2:")


def test_airflow_2_knows_no_run_after() -> None:
    """A rule with `run_after` cannot start runs in a connection with `api: v1`."""
    auth = "auth: {kind: basic, username: u, password_secret: p}"
    assert "has no `run_after`" in problems(f"api: v1, {auth}", rules=RULE)
    assert load(f"api: auto, {auth}", rules=RULE).rules


def test_vaults_are_addresses() -> None:
    """A vault's address is https, and can be a setting."""
    auth = "auth: {kind: bearer, token_secret: t}, vault: partner"
    assert load(auth, vaults="vaults: {partner: '%PARTNER%'}").vaults == {
        "partner": "https://partner.vault.azure.net"
    }
    assert "begins with http://; write https://" in problems(
        auth, vaults="vaults: {partner: 'http://x.example'}"
    )
    assert "`OTHER` is missing" in problems(auth, vaults="vaults: {partner: '%OTHER%'}")
    assert "add it to `vaults`" in problems(auth)


@pytest.mark.parametrize(
    "url",
    [
        "https://0a1b.c2.eu-central-1.airflow.amazonaws.com",
        "https://0a1b-vpce.c2.airflow.eu-central-1.on.aws",
        "https://env.airflow.eu-central-1.amazonaws.com/restapi/e",
    ],
)
def test_mwaas_web_server_is_not_its_api(url: str) -> None:
    """The address of the environment's web server is refused, with an example of the API's."""
    text = f"connections: {{main: {{url: '{url}', auth: {{{AWS}}}}}}}\nrules: []\n"
    with pytest.raises(RulesError) as caught:
        load_rules(text, file="rules.yaml", settings={})
    assert "https://env.airflow.eu-central-1.amazonaws.com, or a VPC endpoint" in str(caught.value)


@pytest.mark.parametrize("url", ["https://env.airflow.cn-north-1.amazonaws.com.cn", "%UPDRAFT_URL%"])
def test_mwaas_api_may_be_anywhere_else(url: str) -> None:
    """Addresses of other partitions and unknown addresses are accepted."""
    auth = AWS.replace("eu-central-1", "'%UPDRAFT_REGION%'")
    text = f"connections: {{main: {{url: '{url}', auth: {{{auth}}}}}}}\nrules: []\n"
    assert load_rules(text, file="rules.yaml", settings=None).connections["main"].url == url
