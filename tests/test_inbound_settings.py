import pytest

from shared.errors import SettingsError
from shared.settings import InboundSettings, Settings

GUID = "00000000-0000-4000-8000-00000000000A"


def settings(**environment: str) -> InboundSettings:
    """Return the settings of an environment."""
    return InboundSettings(environment)


def test_what_is_set_is_read() -> None:
    """Names and addresses are read without the blanks around them."""
    known = settings(
        UPDRAFT_TENANT_ID=f"\ufeff {GUID} \r\n",
        UPDRAFT_AUDIENCE="api://updraft\u200b, 123\xa0",
        UPDRAFT_AUTHORITY="https://login.microsoftonline.us/\n",
        UPDRAFT_URL="https://updraft.example/ ",
        UPDRAFT_CALLBACK_KEY_SECRET="other-key\n",
        UPDRAFT_GITHUB_SECRET="github\u200b",
    )
    assert known.tenant_id() == GUID.lower()
    assert known.audiences() == {"api://updraft", "123"}
    assert known.authority() == "https://login.microsoftonline.us"
    assert known.outcomes_url() == "https://updraft.example/api/outcomes"
    assert (known.callback_key_secret(), known.github_secret()) == ("other-key", "github")


@pytest.mark.parametrize("known", [Settings.of({"KEY": "made-up"}), InboundSettings({"KEY": "made-up"})])
def test_settings_that_are_printed_show_no_value(known: Settings | InboundSettings) -> None:
    """An environment has secrets, such as IDENTITY_HEADER: a message that shows the object shows none."""
    assert "made-up" not in f"{known} {known!r}"


def test_what_is_not_set_has_a_default_where_there_is_one() -> None:
    """The defaults are the public cloud, the platform's host name, and one name of the key."""
    known = settings(WEBSITE_HOSTNAME="contoso.azurewebsites.net")
    assert known.authority() == "https://login.microsoftonline.com"
    assert known.outcomes_url() == "https://contoso.azurewebsites.net/api/outcomes"
    assert known.callback_key_secret() == "updraft-callback-key"


@pytest.mark.parametrize(
    ("method", "environment", "says"),
    [
        ("tenant_id", {}, "UPDRAFT_TENANT_ID"),
        ("tenant_id", {"UPDRAFT_TENANT_ID": "common"}, "not a GUID"),
        ("audiences", {"UPDRAFT_AUDIENCE": " "}, "UPDRAFT_AUDIENCE"),
        ("authority", {"UPDRAFT_AUTHORITY": "http://login.example"}, "https"),
        ("authority", {"UPDRAFT_AUTHORITY": "login.example"}, "address"),
        ("authority", {"UPDRAFT_AUTHORITY": f"https://login.example/{GUID}"}, "write https://login.example"),
        ("outcomes_url", {}, "WEBSITE_HOSTNAME"),
        ("outcomes_url", {"UPDRAFT_URL": "http://updraft.example"}, "https"),
        ("outcomes_url", {"UPDRAFT_URL": "https://up draft.example"}, "UPDRAFT_URL.*a blank"),
        ("outcomes_url", {"UPDRAFT_URL": "%OTHER%"}, "UPDRAFT_URL names another setting"),
        ("github_secret", {}, "UPDRAFT_GITHUB_SECRET"),
    ],
)
def test_what_is_missing_or_unusable_is_named(method: str, environment: dict[str, str], says: str) -> None:
    """The error names the setting and its valid values."""
    with pytest.raises(SettingsError, match=says):
        getattr(settings(**environment), method)()


def test_the_address_of_outcomes_itself_is_understood() -> None:
    """The address that runs report to may be set with or without its path."""
    known = settings(UPDRAFT_URL="https://updraft.example/api/outcomes/")
    assert known.outcomes_url() == "https://updraft.example/api/outcomes"


def test_this_machine_may_be_reached_without_tls() -> None:
    """On loopback http is allowed, for tests and the local stack."""
    assert settings(UPDRAFT_AUTHORITY="http://127.0.0.1:80").authority() == "http://127.0.0.1:80"
