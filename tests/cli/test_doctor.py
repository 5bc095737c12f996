"""`updraft doctor`: from the command line to the identity endpoint, the vault and an Airflow, on loopback."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from cli.checks.token_claims import Claims
from cli.commands.doctor import BODY_LIMIT, body_limit, hooks_in_words, identity_in_words, settings_findings
from cli.main import main
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.identity_endpoint import Audience, IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from local.stand_ins.loopback_server import Reply, Request
from shared.rules.model.auth_kinds import EntraAuth
from tests.support.aws_stub import AUDIENCE, ENVIRONMENT, REGION, ROLE, Mwaa, Sts
from tests.support.doctor import RULE, Doctor

if TYPE_CHECKING:
    from shared.values.json_text import JsonObject
    from tests.support.clocks import UnixClock
    from tests.support.endpoints import Watch


ENTRA = "{kind: entra, scope: 'api://airflow/.default'}"


@pytest.fixture
def stub() -> Iterator[AirflowStub]:
    """An Airflow that accepts every bearer token."""
    with AirflowStub() as stub:
        yield stub


def test_a_connection_that_is_let_in(doctor: Doctor, identity: IdentityEndpoint, stub: AirflowStub) -> None:
    """The report names the identity and the token's claims, and starts nothing; the token is not in it."""
    identity.expose("api://airflow", Audience(roles=["Airflow.Trigger"]))
    status, text = doctor(stub.url, ENTRA)
    assert status == 0, text
    for words in (
        "identity: the app's system-assigned managed identity",
        "aud: api://airflow",
        f"oid: {identity.identity.object_id}",
        "roles: Airflow.Trigger",
        "entra: a token for api://airflow/.default\n",
        "expires: in 24 h",
        "DAG smoke_tests: runs may be started (rule r)",
        "nothing wrong",
    ):
        assert words in text
    assert stub.runs == {}


@pytest.mark.parametrize(("good", "words"), [(True, "may be started"), (False, "airflow:InvokeRestApi")])
def test_an_environment_in_aws(
    doctor: Doctor, identity: IdentityEndpoint, watch: "Watch", clock: "UnixClock", words: str, *, good: bool
) -> None:
    """The report has the claims that the role must trust, and no key; MWAA is asked as for an event."""
    with Sts(watch, clock) as sts, Mwaa(sts, lambda _: good) as mwaa:
        auth = (
            f"{{kind: aws, environment: {ENVIRONMENT}, region: {REGION}, role_arn: '{ROLE}', "
            f"scope: '{AUDIENCE}/.default', sts_url: '{sts.url}'}}"
        )
        status, text = doctor(mwaa.url, auth)
    assert status == (not good), text
    assert f"aws: credentials of {ROLE}" in text
    assert f"aud: {AUDIENCE}" in text
    assert f"sub: {identity.identity.object_id}" in text
    assert words in text


@pytest.mark.parametrize(
    ("status", "body"), [(400, "<html>Invalid host header"), (422, {"error": {"message": "no"}}), (200, {})]
)
def test_only_airflows_refusal_says_that_runs_may_be_started(
    doctor: Doctor, identity: IdentityEndpoint, stub: AirflowStub, status: int, body: "str | JsonObject"
) -> None:
    """An answer of a proxy with the same status is a problem."""
    identity.expose("api://airflow", Audience(roles=["Airflow.Trigger"]))
    stub.inject(status, body, times=9, when=lambda request: request.method == "POST")
    code, text = doctor(stub.url, ENTRA)
    assert code == 1, text
    assert "may be started" not in text


def test_a_missing_app_role_is_named(doctor: Doctor, identity: IdentityEndpoint, stub: AirflowStub) -> None:
    """An Airflow that refuses a token without roles leads to the role that has to be assigned."""
    stub.tokens = set()
    status, text = doctor(stub.url, ENTRA)
    assert status == 1
    assert "names no app role" in text
    assert "1 error" in text


def test_a_missing_airflow_role_is_named(
    doctor: Doctor, identity: IdentityEndpoint, stub: AirflowStub
) -> None:
    """403 Forbidden leads to the command that grants the rights, once for all DAGs and with their rules."""
    stub.forbidden |= {"smoke_tests", "refresh"}
    more = "{name: s, when: {types: [t]}, start: {dag: refresh}}"
    status, text = doctor(stub.url, ENTRA, rules=f"{RULE}, {more}")
    assert status == 1
    assert "does not let it start runs of DAGs `smoke_tests`, `refresh`, or has no such DAG" in text
    assert "(rules `r`, `s`)" in text
    assert "`airflow entra-role --role Updraft --dag smoke_tests refresh`" in text
    assert text.endswith("\n1 error\n")


def test_other_airflows_have_no_such_command(
    doctor: Doctor, vault: LocalKeyVault, stub: AirflowStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Airflow whose tokens are not Entra's may lack `airflow entra-role`: the permissions are named."""
    monkeypatch.setenv("UPDRAFT_KEY_VAULT_URI", vault.url)
    vault.set("token", "made-up-opaque-token")
    stub.forbidden.add("smoke_tests")
    status, text = doctor(stub.url, "{kind: bearer, token_secret: token}")
    assert status == 1
    assert "give its role can_read and can_edit on the DAG, can_read and can_create on its DAG Runs" in text
    assert "entra-role" not in text


def test_a_missing_key_vault_role_is_named(
    doctor: Doctor, vault: LocalKeyVault, stub: AirflowStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vault that refuses the identity leads to the role on the vault; the Airflow is not asked."""
    monkeypatch.setenv("UPDRAFT_KEY_VAULT_URI", vault.url)
    vault.deny("ForbiddenByRbac")
    status, text = doctor(stub.url, "{kind: airflow, username: u, password_secret: p}")
    assert status == 1
    assert "Key Vault Secrets User" in text
    assert stub.seen == ()


def test_a_token_is_named_by_its_scope() -> None:
    """A header that is not the usual one is named as well, as for a proxy."""
    assert EntraAuth(kind="entra", scope="s").credential_text == "a token for s"
    proxy = EntraAuth(kind="entra", scope="s", header="X-Proxy")
    assert proxy.credential_text == "a token for s, in the header X-Proxy"


@pytest.mark.parametrize(("now", "says"), [(0, "in 24 h"), (86_400 - 90, "in 90 s"), (86_490, "90 s ago")])
def test_the_expiry_of_a_token_is_a_duration(now: float, says: str) -> None:
    """It has the unit that fits, also after the expiry."""
    assert Claims("Bearer", {"exp": 86_400}).shown(now)["expires"] == says


def test_a_password_that_is_changed_meanwhile(
    doctor: Doctor, vault: LocalKeyVault, stub: AirflowStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A credential that is refused at the second sign-in is an error."""
    monkeypatch.setenv("UPDRAFT_KEY_VAULT_URI", vault.url)
    vault.set("p", "made-up-password")
    logins: list[str] = []

    def handle(request: Request) -> Reply:
        if request.path == "/auth/token":
            logins.append(request.path)
            stub.users = {"updraft": "made-up-password" if len(logins) == 1 else "another"}
        return AirflowStub.handle(stub, request)

    stub.handle = handle  # type: ignore[method-assign] # the password changes after the first login
    status, text = doctor(stub.url, "{kind: airflow, username: updraft, password_secret: p}")
    assert status == 1
    assert text.count("error: ") == 1
    assert "airflow: a credential in the header Authorization" in text
    assert "password" in text.partition("error: ")[2]


def test_an_app_without_an_identity(
    doctor: Doctor, identity: IdentityEndpoint, stub: AirflowStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a managed identity, the message names the missing identity."""
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    status, text = doctor(stub.url, ENTRA)
    assert status == 1
    assert "no managed identity" in text


def test_settings_are_read_as_the_app_reads_them(
    doctor: Doctor, identity: IdentityEndpoint, stub: AirflowStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line end after the address is ignored; the address of a page is a problem that names the setting."""
    monkeypatch.setenv("UPDRAFT_AIRFLOW_URL", f"{stub.url}\r\n")
    assert doctor("%UPDRAFT_AIRFLOW_URL%", ENTRA)[0] == 0
    monkeypatch.setenv("UPDRAFT_AIRFLOW_URL", f"{stub.url}/home")
    status, text = doctor("%UPDRAFT_AIRFLOW_URL%", ENTRA)
    assert status == 1
    assert "(the value of the application setting `UPDRAFT_AIRFLOW_URL`)" in text
    assert f"fix: write {stub.url}\n" in text


def test_an_airflow_that_is_away(doctor: Doctor, identity: IdentityEndpoint, stub: AirflowStub) -> None:
    """An Airflow that does not answer is a problem."""
    stub.stop()
    status, text = doctor(stub.url, ENTRA)
    assert status == 1
    assert f"nothing listens at {stub.url.removeprefix('http://')}: the connection was refused" in text
    assert "start Airflow's api-server there" in text


def test_every_kind_of_token_is_described(
    doctor: Doctor, vault: LocalKeyVault, stub: AirflowStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opaque tokens, passwords and a connection's own identity are named, each from a named vault."""
    vault.set("token", "made-up-opaque-token")
    vault.set("password", "made-up-password")
    other = vault._identity.assign()
    monkeypatch.setenv("OTHER_VAULT", vault.url)
    connection = (
        f"[{{kind: entra, scope: 'api://proxy/.default', client_id: {other.client_id}, header: X-Proxy}},"
        " {kind: bearer, token_secret: token}], vault: other"
    )
    vaults = 'vaults: {other: "%OTHER_VAULT%"}'
    status, text = doctor(stub.url, connection, vaults=vaults)
    assert status == 0, text
    assert f"client id {other.client_id}" in text
    assert "opaque" in text
    status, text = doctor(
        stub.url, "{kind: basic, username: u, password_secret: password}, vault: other", vaults=vaults
    )
    assert "a user name and a password" in text
    assert status == 1  # Airflow 3 takes no password


def test_one_connection_may_be_asked_for(
    doctor: Doctor, identity: IdentityEndpoint, stub: AirflowStub
) -> None:
    """`--connection` checks one connection; an unknown name is an error that lists the connections."""
    assert doctor(stub.url, ENTRA, "--connection", "main")[0] == 0
    status, text = doctor(stub.url, ENTRA, "--connection", "mian")
    assert status == 1
    assert "there are main" in text


def test_rules_that_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file is an error with exit status 1."""
    assert main(["doctor", "--rules", "no-such-file.yaml"]) == 1
    assert "there is no such file" in capsys.readouterr().err


def test_who_is_asked_for_tokens() -> None:
    """The report names the identity that the settings choose."""
    assert "default" in identity_in_words({"UPDRAFT_CREDENTIAL": "default"})
    assert "client id of-the-app" in identity_in_words({"AZURE_CLIENT_ID": "of-the-app"})


def test_claims_of_no_token() -> None:
    """A text that is not a token has no claims."""
    assert [*Claims.of("Bearer made-up").lines(0)] == ["opaque: it has no readable claims"]


def test_the_hooks_that_are_switched_on_are_named() -> None:
    """The hooks are listed with their rate, and wrong settings are problems."""
    bounded = {BODY_LIMIT: "2097152"}
    assert hooks_in_words({}) == "hooks: none"
    assert [*settings_findings(bounded)] == []
    wrong = {**bounded, "UPDRAFT_HOOKS": "kudu kudo", "UPDRAFT_GITHUB_SECRET": "s"}
    assert hooks_in_words(wrong) == "hooks: github, kudu, each 600/m"
    [finding] = settings_findings(wrong)
    assert finding.message.startswith("the application setting UPDRAFT_HOOKS names 'kudo'")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "is missing"),
        ("", "is missing"),
        ("104857600", "is 104857600"),
        ("2097153", "is 2097153"),
        ("2 MiB", "is 2 MiB"),
        ("0", "is 0"),
        ("-1", "is -1"),
        ("9" * 5_000, "is 999"),
    ],
)
def test_bodies_have_to_be_bounded(value: str | None, words: str) -> None:
    """A missing or a larger limit is a problem, with the command that fixes it."""
    finding = body_limit({} if value is None else {BODY_LIMIT: value})
    assert finding is not None
    assert words in finding.message
    assert finding.command.endswith(f"--settings {BODY_LIMIT}=2097152")


def test_a_limit_is_reported_by_the_command(
    doctor: Doctor, identity: IdentityEndpoint, stub: AirflowStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a limit for bodies the exit status is 1, although the connections are well."""
    identity.expose("api://airflow", Audience(roles=["Airflow.Trigger"]))
    assert body_limit({BODY_LIMIT: "1572864"}) is None
    monkeypatch.delenv(BODY_LIMIT)
    status, text = doctor(stub.url, ENTRA)
    assert status == 1
    assert f"error: {BODY_LIMIT} is missing" in text
